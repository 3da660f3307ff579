/** One listener by itself: what it speaks, which routes it takes, and whether its certificates can be used. */
import {
  GATEWAY_API_GROUP,
  type GatewayApiGateway,
  type GatewayApiListener,
  type ListenerSet,
  type RouteGroupKind,
} from '../../config/gateway-api/types.ts';
import { normalizeHost } from '../../config/hosts.ts';
import { ownCertificate } from './certificates.ts';
import { no, type Verdict, yes } from './conditions.ts';
import type { ListenerDraft, ListenerParent } from './drafts.ts';
import type { References } from './references.ts';

/** The kinds of routes by what a listener speaks. */
const ROUTE_KINDS: Readonly<Record<string, readonly string[]>> = {
  HTTP: ['HTTPRoute', 'GRPCRoute'],
  HTTPS: ['HTTPRoute', 'GRPCRoute'],
  TLS: ['TLSRoute'],
};

export function draftListener(
  parent: ListenerParent,
  owner: GatewayApiGateway | ListenerSet,
  index: number,
  listener: GatewayApiListener,
  tableListener: string,
  references: References,
): ListenerDraft {
  const protocol = listener.protocol.toUpperCase();
  const kinds = ROUTE_KINDS[protocol];
  const { mode = 'Terminate' } = listener.tls ?? {};
  const speaks = kinds === undefined ? undefined : protocol === 'HTTP' ? 'HTTP' : 'TLS';
  const endsTls = speaks === 'TLS' && mode !== 'Passthrough';
  const isHttps = protocol === 'HTTPS';
  const certificates = endsTls ? listenerCertificates(owner, listener, references) : { good: [], problem: undefined };
  const wanted = supportedKinds(listener, kinds ?? []);
  const client = isHttps ? parent.validations.ofPort(listener.port) : {};
  return {
    parent,
    owner,
    listener,
    path: `spec.listeners[${index}]`,
    tableListener,
    speaks,
    protocol,
    endsTls,
    hostname: listener.hostname === undefined || listener.hostname === '' ? '*' : normalizeHost(listener.hostname),
    supportedKinds: wanted.kinds,
    certificates: certificates.good,
    clientValidation: client.validation,
    resolvedRefs: certificates.problem ?? client.problem ?? wanted.problem ?? yes('ResolvedRefs'),
    refused: refusal(listener, kinds !== undefined, isHttps && mode === 'Passthrough') ?? client.refused,
    conflict: undefined,
    overlaps: false,
    routes: [],
    attachedRoutes: 0,
  };
}

function refusal({ protocol, name }: GatewayApiListener, isKnown: boolean, passesHttps: boolean): Verdict | undefined {
  if (!isKnown) return no('Accepted', 'UnsupportedProtocol', `listener ${name} is for ${protocol}; HTTP, HTTPS and TLS are served`);
  if (passesHttps)
    return no('Accepted', 'UnsupportedValue', `listener ${name} is for HTTPS, whose TLS ends here: mode Passthrough is for TLS`);
  return undefined;
}

function supportedKinds(
  { name, allowedRoutes }: GatewayApiListener,
  possible: readonly string[],
): { readonly kinds: readonly RouteGroupKind[]; readonly problem: Verdict | undefined } {
  const asked = allowedRoutes?.kinds ?? [];
  if (asked.length === 0) return { kinds: possible.map((kind) => ({ group: GATEWAY_API_GROUP, kind })), problem: undefined };
  const kinds: RouteGroupKind[] = [];
  const others: string[] = [];
  for (const { group = GATEWAY_API_GROUP, kind } of asked) {
    if (group === GATEWAY_API_GROUP && possible.includes(kind)) kinds.push({ group, kind });
    else others.push(group === GATEWAY_API_GROUP ? kind : `${group} ${kind}`);
  }
  const message = `listener ${name} cannot serve ${others.join(', ')}`;
  return { kinds, problem: others.length === 0 ? undefined : no('ResolvedRefs', 'InvalidRouteKinds', message) };
}

/** ReferenceGrants are for whom the listener belongs to: those for a Gateway are not for its ListenerSets. */
function listenerCertificates(
  owner: GatewayApiGateway | ListenerSet,
  { name: listenerName, tls }: GatewayApiListener,
  references: References,
): { readonly good: readonly string[]; readonly problem: Verdict | undefined } {
  const own = owner.metadata.namespace;
  const from = { group: GATEWAY_API_GROUP, kind: owner.kind === 'ListenerSet' ? 'ListenerSet' : 'Gateway', namespace: own };
  const refs = tls?.certificateRefs ?? [];
  const good: string[] = [];
  let problem =
    refs.length === 0
      ? no('ResolvedRefs', 'InvalidCertificateRef', `listener ${listenerName} ends TLS and names no certificate`)
      : undefined;
  for (const { group = '', kind = 'Secret', name, namespace: stated = '' } of refs) {
    const namespace = stated === '' ? own : stated;
    if (!references.grants.allows(from, { group, kind, namespace, name })) {
      problem ??= no(
        'ResolvedRefs',
        'RefNotPermitted',
        `no ReferenceGrant in ${namespace} lets ${from.kind}s of ${own} refer to ${kind} ${name}`,
      );
      continue;
    }
    const found = ownCertificate({ group, kind, namespace, name }, references);
    if ('credential' in found) good.push(found.credential);
    else problem ??= no('ResolvedRefs', 'InvalidCertificateRef', found.problem);
  }
  return { good, problem };
}
