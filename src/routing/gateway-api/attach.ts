/**
 * Follows every reference of the Gateway API's resources: which listeners are served where, which routes they have, and what is said of each resource
 * under `status`. Pure; nothing here is ever an error: what cannot be is refused by a condition, which is also a warning, and everything else goes on.
 */
import type { Diagnostic } from '../../base/diagnostic.ts';
import { gatewayClassesOf } from '../../config/gateway-api/gateway-classes.ts';
import { GATEWAY_API_GROUP, SERIN_GATEWAY_CONTROLLER } from '../../config/gateway-api/types.ts';
import type { AnyResource } from '../../config/resources.ts';
import type { Compilation } from '../compilation.ts';
import { type AttachedRoutes, attachRoutes } from './attach-routes.ts';
import { byPrecedence, conditionsOf, type Verdict } from './conditions.ts';
import { type GatewayDraft, isProgrammed, type ListenerDraft } from './drafts.ts';
import { gatewayClassStatus, ownClasses } from './gateway-class.ts';
import { gatewayStatus, isServed, listenerSetStatus } from './gateway-status.ts';
import { type Drafts, draftGateways } from './gateways.ts';
import type { AttachedListener, Attachments } from './model.ts';
import { Namespaces } from './namespaces.ts';
import { type References, referencesOf } from './references.ts';
import { type GatewayApiStatus, statusKey } from './status.ts';

/** @param ownListeners As `CompileOptions` has it. */
export function attach(compilation: Compilation, ownListeners: ReadonlySet<string>): Attachments {
  const { snapshot } = compilation;
  const references = referencesOf(compilation);
  const namespaces = new Namespaces(snapshot.namespaces);
  const classes = ownClasses(snapshot.gatewayClasses);
  const drafts = draftGateways({ compilation, ownListeners, classes, namespaces, references });
  const routes = attachRoutes({ compilation, references, namespaces, drafts });
  warnOfGateways(compilation, drafts);
  const statuses = new Map<string, GatewayApiStatus>();
  for (const gatewayClass of gatewayClassesOf(snapshot)) {
    if (gatewayClass.spec.controllerName !== SERIN_GATEWAY_CONTROLLER) continue;
    const problem = classes.get(gatewayClass.metadata.name);
    if (problem !== undefined) warn(compilation, gatewayClass, 'spec.parametersRef', problem);
    statuses.set(statusKey(gatewayClass), gatewayClassStatus(gatewayClass, problem));
  }
  for (const draft of drafts.gateways.values()) statuses.set(statusKey(draft.gateway), gatewayStatus(draft));
  for (const draft of drafts.sets.values()) statuses.set(statusKey(draft.set), listenerSetStatus(draft));
  for (const [route, status] of routes.statuses) statuses.set(statusKey(route), status);
  setPolicyStatuses(compilation, references, routes, statuses);
  return { listeners: servedListeners(drafts), mesh: routes.mesh, backendTls: references.policies.inForce, statuses };
}

function servedListeners({ gateways }: Drafts): readonly AttachedListener[] {
  return [...gateways.values()].filter(isServed).flatMap(({ listeners, sets }) => {
    const all = [...listeners, ...sets.flatMap((set) => set.listeners)];
    return all.filter(isProgrammed).map(attachedListener);
  });
}

function attachedListener(draft: ListenerDraft): AttachedListener {
  const { parent, owner, listener, path, tableListener, certificates, clientValidation, routes } = draft;
  const { namespace, name } = owner.metadata;
  const { credential } = parent.clientCertificate ?? {};
  return {
    gateway: parent.gateway,
    owner,
    listener,
    // A ListenerSet may be called like its Gateway.
    name: `${owner.kind === 'ListenerSet' ? 'ListenerSet ' : ''}${namespace}/${name} ${path.slice('spec.'.length)}`,
    tableListener,
    ...(parent.bind === undefined ? {} : { bind: parent.bind }),
    certificates,
    ...(clientValidation === undefined ? {} : { clientValidation }),
    ...(credential === undefined ? {} : { clientCertificate: credential }),
    routes,
  };
}

/** `ancestors` of a policy: the Gateways whose routes send to its Services (apis/v1/policy_types.go). */
function setPolicyStatuses(
  compilation: Compilation,
  { policies }: References,
  { users }: AttachedRoutes,
  statuses: Map<string, GatewayApiStatus>,
): void {
  for (const [policy, verdicts] of policies.verdicts) {
    for (const verdict of verdicts) if (!verdict.status) warn(compilation, policy, 'spec', verdict);
    const gateways = new Set<GatewayDraft>();
    for (const host of policies.targets.get(policy) ?? []) for (const gateway of users.get(host) ?? []) gateways.add(gateway);
    const inOrder = [...gateways].map(({ gateway }) => gateway).toSorted(byPrecedence);
    const ancestors = inOrder.slice(0, MAX_ANCESTORS).map(({ metadata: { namespace, name } }) => ({
      ancestorRef: { group: GATEWAY_API_GROUP, kind: 'Gateway', namespace, name },
      controllerName: SERIN_GATEWAY_CONTROLLER,
      conditions: conditionsOf(policy.metadata, verdicts),
    }));
    statuses.set(statusKey(policy), { ancestors });
  }
  for (const { policy, index, name } of policies.unused) {
    compilation.warn(policy, { ...unusedCa(name), path: `spec.validation.caCertificateRefs[${index}]` });
  }
}

/** PolicyStatus, `ancestors`. */
const MAX_ANCESTORS = 16;

/** Causes only: what follows from them (no listener is accepted, so the Gateway is not either) is in the statuses. */
function warnOfGateways(compilation: Compilation, { gateways, sets }: Drafts): void {
  for (const { gateway, refused, unusable, clientCertificate, validations, listeners } of gateways.values()) {
    if (refused !== undefined) warn(compilation, gateway, 'spec', refused);
    if (unusable !== undefined) warn(compilation, gateway, 'spec.addresses', unusable);
    if (clientCertificate?.verdict.status === false)
      warn(compilation, gateway, 'spec.tls.backend.clientCertificateRef', clientCertificate.verdict);
    for (const { unused = [] } of validations.all)
      for (const { path, name } of unused) compilation.warn(gateway, { ...unusedCa(name), path });
    warnOfListeners(compilation, listeners);
  }
  for (const { set, refused, listeners } of sets.values()) {
    if (refused !== undefined) warn(compilation, set, 'spec', refused);
    warnOfListeners(compilation, listeners);
  }
}

function warnOfListeners(compilation: Compilation, listeners: readonly ListenerDraft[]): void {
  // Listeners that conflict with each other say the same, which names them all.
  const said = new Set<string>();
  for (const { owner, path, refused, conflict, resolvedRefs } of listeners) {
    for (const verdict of [refused, conflict, resolvedRefs.status ? undefined : resolvedRefs]) {
      if (verdict === undefined || said.has(verdict.message)) continue;
      said.add(verdict.message);
      warn(compilation, owner, path, verdict);
    }
  }
}

function unusedCa(name: string): Pick<Diagnostic, 'code' | 'message' | 'hint'> {
  return { code: 'W_GATEWAY_API', message: `one CA is used, so that ${name} is not`, hint: 'put all of them into one ca.crt' };
}

function warn(compilation: Compilation, resource: AnyResource, path: string, verdict: Verdict): void {
  compilation.warn(resource, { code: 'W_GATEWAY_API', path, message: `${verdict.reason}: ${verdict.message}` });
}
