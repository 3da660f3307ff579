/** Routes and their parents: which listeners take which routes, and what is said of each parentRef. */
import { GATEWAY_API_GROUP, type GatewayApiRoute, type ParentReference, SERIN_GATEWAY_CONTROLLER } from '../../config/gateway-api/types.ts';
import { hostCovers, normalizeHost, OverlapIndex, serviceHost } from '../../config/hosts.ts';
import type { Compilation } from '../compilation.ts';
import { byPrecedence, conditionsOf, no, type Verdict, yes } from './conditions.ts';
import type { GatewayDraft, ListenerDraft } from './drafts.ts';
import type { Drafts } from './gateways.ts';
import { inspectRoute, type RouteFindings } from './inspect-route.ts';
import type { MeshAttachment } from './model.ts';
import type { Namespaces } from './namespaces.ts';
import type { References } from './references.ts';
import type { RouteStatus } from './status.ts';

export interface RouteContext {
  readonly compilation: Compilation;
  readonly references: References;
  readonly namespaces: Namespaces;
  readonly drafts: Drafts;
}

export interface AttachedRoutes {
  readonly mesh: readonly MeshAttachment[];
  readonly statuses: ReadonlyMap<GatewayApiRoute, RouteStatus>;
  /** By full name of a Service that some BackendTLSPolicy is for, the Gateways whose routes send to it. */
  readonly users: ReadonlyMap<string, ReadonlySet<GatewayDraft>>;
}

export function attachRoutes(context: RouteContext): AttachedRoutes {
  const { httpRoutes, grpcRoutes, tlsRoutes } = context.compilation.snapshot;
  const attaching = new Attaching(context, httpRoutes.length > 0 && grpcRoutes.length > 0);
  // HTTPRoutes and GRPCRoutes compete for hostnames, so that they are looked at together.
  for (const route of [...httpRoutes, ...grpcRoutes, ...tlsRoutes].toSorted(byPrecedence)) attaching.attach(route);
  return attaching;
}

/** What a listener has to do with a route that would come to it. */
interface Candidate {
  readonly draft: ListenerDraft;
  readonly hostnames: readonly string[];
}

class Attaching implements AttachedRoutes {
  readonly mesh: MeshAttachment[] = [];
  readonly statuses = new Map<GatewayApiRoute, RouteStatus>();
  readonly users = new Map<string, Set<GatewayDraft>>();
  readonly #context: RouteContext;
  readonly #competing: boolean;
  /** Hostnames that each kind has on a listener, where both kinds are about. */
  readonly #taken = new Map<ListenerDraft, Map<string, OverlapIndex>>();
  /** By listener and namespace. */
  readonly #allowed = new Map<ListenerDraft, Map<string, boolean>>();
  readonly #policyHosts: ReadonlySet<string>;
  readonly #defaults: readonly GatewayDraft[];

  constructor(context: RouteContext, competing: boolean) {
    this.#context = context;
    this.#competing = competing;
    this.#policyHosts = new Set([...context.references.policies.targets.values()].flat());
    this.#defaults = [...context.drafts.gateways.values()].filter(({ gateway }) => gateway.spec.defaultScope === 'All');
  }

  attach(route: GatewayApiRoute): void {
    const { compilation, references } = this.#context;
    const findings = inspectRoute(route, references);
    for (const { path, reason, message } of findings.problems) this.#warn(route, path, reason, message);
    const parents: RouteStatus['parents'][number][] = [];
    const refs = this.#parentRefs(route);
    for (const [index, ref] of refs.entries()) {
      const accepted = this.#attachTo(route, ref, findings);
      if (accepted === undefined) {
        const { kind = 'Gateway', namespace = route.metadata.namespace, name } = ref;
        compilation.warn(route, {
          code: 'W_GATEWAY_API',
          path: `spec.parentRefs[${index}]`,
          message: `${kind} ${namespace}/${name} is nothing that is served here, so this route is not either`,
          hint: 'a parent is a Gateway of a class of Serin’s, one of its ListenerSets, or a Service (group: "")',
        });
        continue;
      }
      if (!accepted.status) this.#warn(route, `spec.parentRefs[${index}]`, accepted.reason, accepted.message);
      const partially = accepted.status && findings.partiallyInvalid !== undefined ? [findings.partiallyInvalid] : [];
      parents.push({
        parentRef: ref,
        controllerName: SERIN_GATEWAY_CONTROLLER,
        conditions: conditionsOf(route.metadata, [accepted, findings.resolvedRefs, ...partially]),
      });
    }
    if (refs.length === 0) this.#warn(route, 'spec.parentRefs', 'NoMatchingParent', 'this route names no parent, so it is served nowhere');
    if (parents.length > 0) this.statuses.set(route, { parents });
  }

  #warn(route: GatewayApiRoute, path: string, reason: string, message: string): void {
    this.#context.compilation.warn(route, { code: 'W_GATEWAY_API', path, message: `${reason}: ${message}` });
  }

  /** As written; and, where the route asks for it, those of the Gateways that take everything. */
  #parentRefs({ metadata, spec }: GatewayApiRoute): readonly ParentReference[] {
    const { parentRefs = [], useDefaultGateways } = spec;
    if (useDefaultGateways !== 'All' || this.#defaults.length === 0) return parentRefs;
    const named = new Set(parentRefs.map(({ namespace = metadata.namespace, name }) => `${namespace}/${name}`));
    const others = this.#defaults.filter(({ name }) => !named.has(name));
    const implied = others.map(
      ({
        gateway: {
          metadata: { namespace, name },
        },
      }) => ({ group: GATEWAY_API_GROUP, kind: 'Gateway', namespace, name }),
    );
    return [...parentRefs, ...implied];
  }

  /** The condition Accepted; undefined where the parent is not ours. */
  #attachTo(route: GatewayApiRoute, ref: ParentReference, findings: RouteFindings): Verdict | undefined {
    const { group = GATEWAY_API_GROUP, kind = 'Gateway', namespace: stated = '', name } = ref;
    const namespace = stated === '' ? route.metadata.namespace : stated;
    if (group === '' && kind === 'Service') return this.#attachToService(route, ref, namespace, findings);
    if (group !== GATEWAY_API_GROUP) return undefined;
    const { gateways, sets } = this.#context.drafts;
    if (kind === 'Gateway') {
      const gateway = gateways.get(`${namespace}/${name}`);
      return gateway === undefined ? undefined : this.#attachToListeners(route, ref, gateway, gateway.listeners, findings);
    }
    const set = kind === 'ListenerSet' ? sets.get(`${namespace}/${name}`) : undefined;
    return set === undefined ? undefined : this.#attachToListeners(route, ref, set.parent, set.listeners, findings);
  }

  #attachToListeners(
    route: GatewayApiRoute,
    { sectionName, port }: ParentReference,
    gateway: GatewayDraft,
    listeners: readonly ListenerDraft[],
    findings: RouteFindings,
  ): Verdict {
    const meant = listeners.filter(
      ({ listener }) => (sectionName === undefined || listener.name === sectionName) && (port === undefined || listener.port === port),
    );
    if (meant.length === 0) {
      const what = [...(sectionName === undefined ? [] : [`called ${sectionName}`]), ...(port === undefined ? [] : [`for port ${port}`])];
      return no('Accepted', 'NoMatchingParent', `there is no listener ${what.join(' ')}`.trimEnd());
    }
    const allowing = meant.filter((draft) => this.#allows(draft, route));
    if (allowing.length === 0) {
      const message = `no listener takes ${route.kind}s of namespace ${route.metadata.namespace} (allowedRoutes)`;
      return no('Accepted', 'NotAllowedByListeners', message);
    }
    const own = (route.spec.hostnames ?? []).map(normalizeHost);
    const matching = allowing.flatMap((draft): readonly Candidate[] => {
      const hostnames = intersection(draft.hostname, own);
      return hostnames.length === 0 ? [] : [{ draft, hostnames }];
    });
    if (matching.length === 0) {
      const theirs = allowing.map(({ hostname }) => hostname).join(', ');
      return no('Accepted', 'NoMatchingListenerHostname', `${own.join(', ')} is no hostname of its listeners (${theirs})`);
    }
    if (findings.refused !== undefined && !findings.answersErrors) return findings.refused;
    const free = this.#competing && route.kind !== 'TLSRoute' ? matching.filter((candidate) => this.#compete(route, candidate)) : matching;
    if (free.length === 0) {
      const other = route.kind === 'HTTPRoute' ? 'GRPCRoute' : 'HTTPRoute';
      return no('Accepted', 'HostnameConflict', `an older ${other} has a hostname of this route on its listeners`);
    }
    for (const { draft, hostnames } of free) {
      // Two parentRefs may mean the same listener.
      if (draft.routes.at(-1)?.route === route) continue;
      draft.routes.push({ route, hostnames });
      if (findings.refused === undefined) draft.attachedRoutes += 1;
    }
    for (const host of findings.hosts) if (this.#policyHosts.has(host)) this.#use(host, gateway);
    return findings.refused ?? yes('Accepted');
  }

  #allows(draft: ListenerDraft, { kind, metadata }: GatewayApiRoute): boolean {
    if (!draft.supportedKinds.some((supported) => supported.kind === kind)) return false;
    let known = this.#allowed.get(draft);
    if (known === undefined) {
      known = new Map();
      this.#allowed.set(draft, known);
    }
    const before = known.get(metadata.namespace);
    if (before !== undefined) return before;
    const { from = 'Same', selector } = draft.listener.allowedRoutes?.namespaces ?? {};
    const rule = { from, ...(selector === undefined ? {} : { selector }) };
    const allowed = this.#context.namespaces.allows(rule, draft.owner.metadata.namespace, metadata.namespace);
    known.set(metadata.namespace, allowed);
    return allowed;
  }

  /**
   * "If … the intersection of the hostnames of A and B is non-empty, then the implementation MUST accept exactly one of these two routes": the older
   * (apis/v1/grpcroute_types.go, Hostnames), which has been here before.
   */
  #compete(route: GatewayApiRoute, { draft, hostnames }: Candidate): boolean {
    let byKind = this.#taken.get(draft);
    if (byKind === undefined) {
      byKind = new Map();
      this.#taken.set(draft, byKind);
    }
    const others = byKind.get(route.kind === 'HTTPRoute' ? 'GRPCRoute' : 'HTTPRoute');
    if (others !== undefined && hostnames.some((host) => others.find(host) !== undefined)) return false;
    let own = byKind.get(route.kind);
    if (own === undefined) {
      own = new OverlapIndex();
      byKind.set(route.kind, own);
    }
    for (const host of hostnames) own.add(host);
    return true;
  }

  #use(host: string, gateway: GatewayDraft): void {
    const users = this.users.get(host);
    if (users === undefined) this.users.set(host, new Set([gateway]));
    else users.add(gateway);
  }

  /** The mesh: a route of the Service's own namespace is for all callers, another's for those of its own (apis/v1/shared_types.go, ParentRefs). */
  #attachToService(
    route: GatewayApiRoute,
    { name, sectionName, port }: ParentReference,
    namespace: string,
    findings: RouteFindings,
  ): Verdict {
    const host = serviceHost(name, namespace);
    const service = this.#context.references.services.service(host);
    if (service?.host !== host) return no('Accepted', 'NoMatchingParent', `there is no Service ${name} in namespace ${namespace}`);
    if (route.kind === 'TLSRoute')
      return no('Accepted', 'UnsupportedValue', 'the mesh listener speaks HTTP, so that no TLSRoute is for it');
    const ports = service.ports.filter(
      (candidate) => (port === undefined || candidate.number === port) && (sectionName === undefined || candidate.name === sectionName),
    );
    const isNarrowed = port !== undefined || sectionName !== undefined;
    if (isNarrowed && ports.length === 0) {
      return no(
        'Accepted',
        'NoMatchingParent',
        `Service ${namespace}/${name} has no port ${[sectionName, port].filter(Boolean).join(' ')}`,
      );
    }
    if (findings.refused !== undefined && !findings.answersErrors) return findings.refused;
    const callers = namespace === route.metadata.namespace ? undefined : route.metadata.namespace;
    if (isNarrowed) for (const { number } of ports) this.mesh.push({ host, port: number, route, callers });
    else this.mesh.push({ host, port: undefined, route, callers });
    return findings.refused ?? yes('Accepted');
  }
}

/** Of a listener's hostname and a route's: what both mean, as the narrower of them says it. */
function intersection(listener: string, route: readonly string[]): readonly string[] {
  if (route.length === 0) return [listener];
  const common = new Set<string>();
  for (const host of route) {
    if (hostCovers(listener, host)) common.add(host);
    else if (hostCovers(host, listener)) common.add(listener);
  }
  return [...common];
}
