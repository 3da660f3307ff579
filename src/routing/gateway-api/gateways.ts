/**
 * Gateways and ListenerSets: which of their listeners can be served, and where.
 *
 * Listeners are looked at in the order in which they count: Gateways by age; of each first its own, then those of its ListenerSets by age. What is in one
 * resource and cannot be told apart is refused altogether; of what stands in several resources the first has it (apis/v1/gateway_types.go, "Distinct
 * Listeners"; listenerset_types.go). Gateways that share a listener of the table are one set of listeners in this sense.
 */
import { GATEWAY_API_GROUP, type GatewayApiGateway, type ListenerSet } from '../../config/gateway-api/types.ts';
import { gatewayTraffic } from '../../config/gateway-traffic.ts';
import { isIpAddress } from '../../config/names.ts';
import type { Compilation } from '../compilation.ts';
import { tableListenerName } from '../gateway-listeners.ts';
import { ownCertificate } from './certificates.ts';
import { byPrecedence, no, type Verdict, yes } from './conditions.ts';
import type { GatewayDraft, ListenerDraft, ListenerParent, ListenerSetDraft } from './drafts.ts';
import { clientValidations } from './frontend-tls.ts';
import { parametersProblem } from './gateway-class.ts';
import { draftListener } from './listener-draft.ts';
import { ListenerClaims } from './listener-claims.ts';
import type { Namespaces } from './namespaces.ts';
import type { References } from './references.ts';

export interface Drafts {
  /** By `namespace/name`, in the order in which they count. */
  readonly gateways: ReadonlyMap<string, GatewayDraft>;
  /** By `namespace/name`; only of Gateways of ours. */
  readonly sets: ReadonlyMap<string, ListenerSetDraft>;
}

export interface DraftContext {
  readonly compilation: Compilation;
  readonly ownListeners: ReadonlySet<string>;
  readonly classes: ReadonlyMap<string, Verdict | undefined>;
  readonly namespaces: Namespaces;
  readonly references: References;
}

export function draftGateways(context: DraftContext): Drafts {
  const { compilation, classes } = context;
  const gateways = new Map<string, GatewayDraft>();
  for (const gateway of compilation.snapshot.gatewayApiGateways.toSorted(byPrecedence)) {
    const { gatewayClassName } = gateway.spec;
    if (!classes.has(gatewayClassName)) {
      compilation.warn(gateway, {
        code: 'W_GATEWAY_CLASS',
        path: 'spec.gatewayClassName',
        message: `GatewayClass ${gatewayClassName} is not Serin's, so nothing here serves this Gateway`,
        hint: `the classes served here: ${[...classes.keys()].join(', ') || 'none'}`,
      });
      continue;
    }
    gateways.set(nameOf(gateway), draftGateway(gateway, context));
  }
  const sets = draftSets(gateways, context);
  const claims = new ListenerClaims(istioListeners(context));
  for (const { refused, listeners, sets: own } of gateways.values()) {
    if (refused !== undefined) continue;
    claims.claim(listeners);
    for (const set of own) claims.claim(set.listeners);
  }
  claims.markOverlaps();
  return { gateways, sets };
}

function draftGateway(gateway: GatewayApiGateway, context: DraftContext): GatewayDraft {
  const { references, classes } = context;
  const name = nameOf(gateway);
  const { bind, unsupported, unusable } = addressOf(gateway);
  const { infrastructure, gatewayClassName, listeners } = gateway.spec;
  const parameters = infrastructure?.parametersRef;
  const ofClass = classes.get(gatewayClassName);
  const refused =
    (ofClass === undefined
      ? undefined
      : no('Accepted', 'InvalidParameters', `GatewayClass ${gatewayClassName} is not accepted: ${ofClass.message}`)) ??
    (parameters === undefined ? undefined : parametersProblem(parameters)) ??
    unsupported;
  const parent = {
    gateway,
    name,
    bind,
    clientCertificate: backendCertificate(gateway, references),
    validations: clientValidations(gateway, references),
  };
  return {
    ...parent,
    refused,
    unusable,
    listeners: draftListeners(parent, gateway, listeners, context),
    sets: [],
  };
}

function draftListeners(
  parent: ListenerParent,
  owner: GatewayApiGateway | ListenerSet,
  listeners: GatewayApiGateway['spec']['listeners'],
  { ownListeners, references }: DraftContext,
): readonly ListenerDraft[] {
  return listeners.map((listener, index) => {
    const shared = tableListenerName(parent.name, listener.port, ownListeners);
    const tableListener = parent.bind === undefined ? shared : `${parent.name}:${listener.port}`;
    return draftListener(parent, owner, index, listener, tableListener, references);
  });
}

/**
 * Every IP address is taken as it is stated: binding fails loudly where it is not this machine's. A Gateway is bound to one address; names are not looked up.
 */
function addressOf({ spec }: GatewayApiGateway): {
  readonly bind: string | undefined;
  readonly unsupported: Verdict | undefined;
  readonly unusable: Verdict | undefined;
} {
  let bind: string | undefined;
  let unsupported: Verdict | undefined;
  let unusable: Verdict | undefined;
  for (const { type = 'IPAddress', value = '' } of spec.addresses ?? []) {
    if (type !== 'IPAddress') {
      unsupported ??= no(
        'Accepted',
        'UnsupportedAddress',
        `addresses are of type IPAddress, not ${type}${value === '' ? '' : ` (${value})`}`,
      );
    } else if (value === '' || value === bind) continue;
    else if (!isIpAddress(value)) unusable ??= no('Programmed', 'AddressNotUsable', `${value} is no IP address`);
    else if (bind === undefined) bind = value;
    else unusable ??= no('Programmed', 'AddressNotUsable', `a Gateway is bound to one address, which is ${bind}; ${value} is not used`);
  }
  return { bind, unsupported, unusable };
}

function backendCertificate({ metadata, spec }: GatewayApiGateway, references: References): GatewayDraft['clientCertificate'] {
  const ref = spec.tls?.backend?.clientCertificateRef;
  if (ref === undefined) return undefined;
  const own = metadata.namespace;
  const { group = '', kind = 'Secret', name, namespace: stated = '' } = ref;
  const namespace = stated === '' ? own : stated;
  if (!references.grants.allows({ group: GATEWAY_API_GROUP, kind: 'Gateway', namespace: own }, { group, kind, namespace, name })) {
    const message = `no ReferenceGrant in ${namespace} lets Gateways of ${own} refer to ${kind} ${name}`;
    return { verdict: no('ResolvedRefs', 'RefNotPermitted', message) };
  }
  const found = ownCertificate({ group, kind, namespace, name }, references);
  if ('problem' in found) return { verdict: no('ResolvedRefs', 'InvalidClientCertificateRef', found.problem) };
  return { verdict: yes('ResolvedRefs'), credential: found.credential };
}

function draftSets(gateways: ReadonlyMap<string, GatewayDraft>, context: DraftContext): ReadonlyMap<string, ListenerSetDraft> {
  const { compilation, namespaces } = context;
  const sets = new Map<string, ListenerSetDraft>();
  for (const set of compilation.snapshot.listenerSets.toSorted(byPrecedence)) {
    const { group = GATEWAY_API_GROUP, kind = 'Gateway', name, namespace: stated = '' } = set.spec.parentRef;
    const own = set.metadata.namespace;
    const namespace = stated === '' ? own : stated;
    const isGateway = group === GATEWAY_API_GROUP && kind === 'Gateway';
    const parent = isGateway ? gateways.get(`${namespace}/${name}`) : undefined;
    if (parent === undefined) {
      compilation.warn(set, {
        code: 'W_GATEWAY_API',
        path: 'spec.parentRef',
        message: `${kind} ${namespace}/${name} is no Gateway that is served here, so these listeners are not either`,
        hint: 'a ListenerSet belongs to a Gateway whose class is Serin’s',
      });
      continue;
    }
    const allowed = parent.gateway.spec.allowedListeners?.namespaces ?? {};
    const isAllowed = namespaces.allows(allowed, namespace, own);
    const message = `Gateway ${namespace}/${name} allows no ListenerSets of namespace ${own} (allowedListeners)`;
    const draft: ListenerSetDraft = {
      set,
      parent,
      refused: isAllowed
        ? parent.refused === undefined
          ? undefined
          : no('Accepted', 'ParentNotAccepted', `Gateway ${namespace}/${name} is not accepted`)
        : no('Accepted', 'NotAllowed', message),
      listeners: isAllowed ? draftListeners(parent, set, set.spec.listeners, context) : [],
    };
    sets.set(nameOf(set), draft);
    parent.sets.push(draft);
  }
  return sets;
}

/** Names of the table's listeners that Istio's Gateways have. */
function istioListeners({ compilation, ownListeners }: DraftContext): ReadonlyMap<string, string> {
  const taken = new Map<string, string>();
  for (const gateway of compilation.snapshot.gateways) {
    for (const server of gateway.spec.servers ?? []) {
      if (gatewayTraffic(server) === undefined || server.bind?.startsWith('unix://') === true) continue;
      const name = nameOf(gateway);
      taken.set(tableListenerName(name, server.port.number, ownListeners), name);
    }
  }
  return taken;
}

function nameOf({ metadata }: Pick<GatewayApiGateway, 'metadata'>): string {
  return `${metadata.namespace}/${metadata.name}`;
}
