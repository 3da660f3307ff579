/**
 * VirtualServices as HTTPRoutes and TLSRoutes. The same rule can mean different things on different ports (`match.port`, `match.gateways`, a destination without
 * a port), so that every rule is compiled for each place where it is served; places for which it comes out the same share a route.
 */
import type { GatewayApiHttpRoute, GatewayApiHttpRule, ParentReference, TlsRoute } from '../../config/gateway-api/types.ts';
import { MESH_GATEWAY } from '../../config/gateway-name.ts';
import { normalizeHost, resolveHost } from '../../config/hosts.ts';
import type { IstioHttpRoute, IstioTlsRoute, ObjectMeta, VirtualService } from '../../config/resources.ts';
import type { Compilation } from '../compilation.ts';
import { boundGateways } from '../compile-match.ts';
import { isLive, mergeRoutes } from '../merge-routes.ts';
import { RuleCache } from '../rule-cache.ts';
import type { Scope } from '../scope.ts';
import { below, type Changes, ruleSpot, spotOf, type Spot } from './changes.ts';
import { convertRule, type RuleTarget } from './http-rule.ts';
import { GATEWAY_API_VERSION, type ServedListener } from './istio-gateways.ts';
import type { KubernetesServices } from './kubernetes-services.ts';
import { type Contender, OrderCheck } from './order-check.ts';
import { commonMetadata, distinct, inChunks, isHostname, narrower, withNames } from './route-parts.ts';

export interface ConvertedServices {
  readonly routes: readonly (GatewayApiHttpRoute | TlsRoute)[];
  /** `FROM TO`: namespaces of routes and of the Services they refer to. */
  readonly grants: readonly { readonly kind: 'HTTPRoute' | 'TLSRoute'; readonly from: string; readonly to: string }[];
}

/** A place where the rules of one VirtualService mean the same: a port of a Gateway, or one of a Service of the mesh. */
interface Place extends RuleTarget {
  readonly scope: Scope;
  readonly parents: readonly ParentReference[];
  readonly isMesh: boolean;
  /** Of the route. */
  readonly namespace: string;
  /** What names the requests that are served here, for several VirtualServices to meet in: `infra/front:80 shop.example`. */
  readonly domains: readonly string[];
}

/** What a host at a place has had, and has. */
interface Domain {
  /** The first that names it, and where. */
  readonly virtualService: VirtualService;
  readonly place: Place;
  readonly isAsked: boolean;
  readonly isServed: boolean;
}

interface Draft {
  readonly parents: ParentReference[];
  readonly namespace: string;
  readonly isMesh: boolean;
  readonly rules: readonly GatewayApiHttpRule[];
}

export class VirtualServiceConversion {
  readonly #compilation: Compilation;
  readonly #changes: Changes;
  readonly #services: KubernetesServices;
  readonly #listeners: readonly ServedListener[];
  readonly #decided: ReadonlySet<string>;
  readonly #cache: RuleCache;
  readonly #order: OrderCheck;
  readonly #routes: (GatewayApiHttpRoute | TlsRoute)[] = [];
  readonly #grants = new Map<string, ConvertedServices['grants'][number]>();
  readonly #names = new Set<string>();
  readonly #served = new Map<VirtualService, readonly Place[]>();
  /** How many VirtualServices each domain has. */
  readonly #owners = new Map<string, number>();
  readonly #domains = new Map<string, Domain>();

  /** @param decided Hosts of the mesh that VirtualServices have no say over. */
  constructor(
    compilation: Compilation,
    changes: Changes,
    services: KubernetesServices,
    listeners: readonly ServedListener[],
    decided: ReadonlySet<string>,
  ) {
    this.#decided = decided;
    this.#compilation = compilation;
    this.#changes = changes;
    this.#services = services;
    this.#listeners = listeners;
    this.#cache = new RuleCache(compilation);
    this.#order = new OrderCheck(changes);
  }

  /** @param virtualServices Delegates merged, oldest first. */
  convert(virtualServices: readonly VirtualService[]): ConvertedServices {
    for (const virtualService of virtualServices) {
      const places = this.#places(virtualService);
      this.#served.set(virtualService, places);
      for (const domain of places.flatMap(({ domains }) => domains)) this.#owners.set(domain, (this.#owners.get(domain) ?? 0) + 1);
    }
    for (const virtualService of virtualServices) {
      this.#http(virtualService);
      for (const [index, rule] of (virtualService.spec.tls ?? []).entries()) this.#tls(virtualService, rule, index);
      for (const index of (virtualService.spec.tcp ?? []).keys()) {
        this.#changes.leftOut(
          spotOf(virtualService, `spec.tcp[${index}]`),
          'the rule is left out: it would need a TCPRoute, which is experimental',
        );
      }
    }
    this.#order.check();
    this.#close();
    return { routes: this.#routes, grants: [...this.#grants.values()] };
  }

  #http(virtualService: VirtualService): void {
    const written = virtualService.spec.http ?? [];
    const drafts = new Map<string, Draft>();
    const served: { readonly key: string; readonly place: Place; readonly contenders: readonly Contender[] }[] = [];
    for (const place of this.#served.get(virtualService) ?? []) {
      const contenders = this.#contenders(virtualService, written, place);
      const rules = withNames(
        contenders.flatMap(({ rules: all }, index) => all.map((each) => ({ ...each, name: written[index]?.name ?? '' }))),
      );
      const key = JSON.stringify([rules, place.namespace, place.isMesh]);
      served.push({ key, place, contenders });
      for (const domain of place.domains) {
        const known = this.#domains.get(domain);
        const isAsked = contenders.some(({ route }) => isLive(route));
        if (known === undefined) this.#domains.set(domain, { virtualService, place, isAsked, isServed: rules.length > 0 });
        else this.#domains.set(domain, { ...known, isAsked: known.isAsked || isAsked, isServed: known.isServed || rules.length > 0 });
      }
      if (rules.length === 0) continue;
      const draft = drafts.get(key);
      if (draft === undefined) drafts.set(key, { ...place, parents: [...place.parents], rules });
      else draft.parents.push(...place.parents);
    }
    this.#sayWhatIsNeverReached(served.map(({ contenders }) => contenders));
    const names = new Map([...drafts].map(([key, draft]) => [key, this.#write(virtualService, draft)]));
    for (const { key, place, contenders } of served) {
      const metadata = names.get(key);
      if (metadata !== undefined) for (const domain of place.domains) this.#order.add(domain, virtualService, metadata, contenders);
    }
  }

  /** Without any route a Service is open to everybody, and a host falls to the rules of wider ones. */
  #close(): void {
    const closed = new Map<string, { readonly virtualService: VirtualService; readonly place: Place; readonly hosts: string[] }>();
    for (const [domain, { virtualService, place, isAsked, isServed }] of this.#domains) {
      if (!isAsked || isServed) continue;
      const { metadata } = virtualService;
      const key = JSON.stringify([metadata.namespace, metadata.name, place.parents]);
      const host = domain.slice(domain.indexOf(' ') + 1);
      const known = closed.get(key);
      if (known === undefined) closed.set(key, { virtualService, place, hosts: [host] });
      else known.hosts.push(host);
    }
    for (const { virtualService, place, hosts } of closed.values()) {
      this.#changes.differs(
        spotOf(virtualService, 'spec.http'),
        `no rule for ${hosts.join(', ')} is left: one that answers everything with 500 keeps them closed`,
      );
      const names = place.isMesh || hosts.includes('*') ? [] : hosts.filter(isHostname);
      const { namespace } = place;
      this.#routes.push({
        apiVersion: GATEWAY_API_VERSION,
        kind: 'HTTPRoute',
        metadata: { name: this.#freeName(namespace, `${virtualService.metadata.name}-closed`), namespace },
        spec: { parentRefs: place.parents, ...(names.length === 0 ? {} : { hostnames: names }), rules: [{}] },
        origin: virtualService.origin,
      });
    }
  }

  #contenders(virtualService: VirtualService, written: readonly IstioHttpRoute[], place: Place): readonly Contender[] {
    return mergeRoutes([this.#cache.rules(virtualService, place.scope)]).flatMap((route, index): readonly Contender[] => {
      const rule = written[index];
      if (rule === undefined) return [];
      const spot = ruleSpot(virtualService, rule, 'spec.http', index);
      if (route.unreachable !== undefined) return [{ route, spot, rules: [] }];
      this.#sayWhoIsMissed(rule, spot);
      return [{ route, spot, rules: convertRule(this.#context(place), route, spot) }];
    });
  }

  /** On none of the ports where the rules are served. */
  #sayWhatIsNeverReached(places: readonly (readonly Contender[])[]): void {
    for (const [index, { route, spot }] of (places[0] ?? []).entries()) {
      if (route.unreachable === undefined || places.some((contenders) => contenders[index]?.route.unreachable === undefined)) continue;
      this.#changes.leftOut(spot, `the rule is left out, since no request gets to it: ${route.unreachable}`);
    }
  }

  /** Conditions on callers are settled when a rule is compiled, and no callers here ever meet them; in a mesh some do. */
  #sayWhoIsMissed(rule: IstioHttpRoute, spot: Spot): void {
    for (const [at, match] of (rule.match ?? []).entries()) {
      const field =
        Object.keys(match.sourceLabels ?? {}).length > 0
          ? 'sourceLabels'
          : (match.sourceNamespace ?? '') !== ''
            ? 'sourceNamespace'
            : undefined;
      const place = below(spot, `match[${at}]`);
      if (field !== undefined) this.#changes.leftOut(below(place, field), 'the match is left out: callers are not told apart');
      const claim = Object.keys(match.headers ?? {}).find((name) => name.startsWith('@request.auth.claims'));
      if (claim !== undefined)
        this.#changes.leftOut(below(place, 'headers'), `the match is left out: ${claim} asks for a token, which no route does`);
    }
  }

  #context({ namespace, port, scheme, domains }: Place): Parameters<typeof convertRule>[0] {
    return {
      changes: this.#changes,
      services: this.#services,
      clusters: this.#compilation.clusters.clusters,
      namespace,
      target: { port, scheme },
      isAlone: domains.every((domain) => this.#owners.get(domain) === 1),
      needsGrant: (to) => this.#grant('HTTPRoute', namespace, to),
    };
  }

  #grant(kind: 'HTTPRoute' | 'TLSRoute', from: string, to: string): void {
    this.#grants.set(`${kind} ${from} ${to}`, { kind, from, to });
  }

  #places(virtualService: VirtualService): readonly Place[] {
    const { namespace } = virtualService.metadata;
    if ((virtualService.spec.http ?? []).length === 0) return [];
    const places: Place[] = [];
    for (const gateway of new Set(boundGateways(virtualService.spec.gateways, namespace))) {
      if (gateway === MESH_GATEWAY) places.push(...this.#meshPlaces(virtualService));
      else places.push(...this.#gatewayPlaces(virtualService, gateway));
    }
    return places;
  }

  #gatewayPlaces(virtualService: VirtualService, gateway: string): readonly Place[] {
    const { namespace } = virtualService.metadata;
    const hosts = this.#hostsOf(virtualService);
    const own = this.#listeners.filter(({ gateway: { metadata } }) => `${metadata.namespace}/${metadata.name}` === gateway);
    const open = own.filter((listener) => listener.namespace === '*' || listener.namespace === namespace);
    const serving = open.filter(
      ({ traffic, redirects, host }) => traffic !== 'passthrough' && !redirects && hosts.some((name) => narrower(host, name) !== undefined),
    );
    return [...new Set(serving.map(({ port }) => port))].flatMap((port): readonly Place[] => {
      const listeners = serving.filter((listener) => listener.port === port);
      const [first] = listeners;
      if (first === undefined) return [];
      const { name, namespace: its } = first.gateway.metadata;
      const reference = { name, ...(its === namespace ? {} : { namespace: its }) };
      // Where nothing else could take it, the Gateway as a whole will do.
      const isWhole = serving.length === own.length && new Set(own.map((listener) => listener.port)).size === 1;
      return [
        {
          scope: { port, gateways: new Set([gateway]) },
          port,
          scheme: first.traffic === 'https' ? 'https' : 'http',
          parents: isWhole ? [reference] : listeners.map((listener) => ({ ...reference, sectionName: listener.name })),
          isMesh: false,
          namespace,
          domains: listeners.flatMap(({ host }) =>
            hosts.flatMap((written) => {
              const domain = narrower(host, written);
              return domain === undefined ? [] : [`${gateway}:${port} ${domain}`];
            }),
          ),
        },
      ];
    });
  }

  #meshPlaces(virtualService: VirtualService): readonly Place[] {
    const { namespace } = virtualService.metadata;
    return [...new Set((virtualService.spec.hosts ?? []).map((host) => this.#compilation.resolve(host, namespace)))].flatMap((host) => {
      if (this.#decided.has(host)) {
        this.#changes.leftOut(spotOf(virtualService, 'spec.hosts'), `${host} is left out: it obeys routes of the Gateway API already`);
        return [];
      }
      const service = this.#services.serviceOf(host);
      if (service === undefined) {
        this.#changes.leftOut(
          spotOf(virtualService, 'spec.hosts'),
          `${host} is left out: in the mesh rules are for Services, and this is none that is declared`,
          'declare it with a ServiceEntry or a Service',
        );
        return [];
      }
      const compiled = service.ports.map(({ number }) => number);
      return compiled.map((port): Place => ({
        scope: { port, gateways: new Set([MESH_GATEWAY]) },
        port,
        scheme: 'http',
        parents: [{ group: '', kind: 'Service', name: service.name, ...(compiled.length === 1 ? {} : { port }) }],
        isMesh: true,
        namespace: service.namespace,
        domains: [`mesh ${host}:${port}`],
      }));
    });
  }

  /** As they are written and in full, as a Gateway serves them. */
  #hostsOf({ metadata, spec }: VirtualService): readonly string[] {
    const names = (spec.hosts ?? []).flatMap((written) => [normalizeHost(written), resolveHost(written, metadata.namespace)]);
    return [...new Set(names)];
  }

  #write(virtualService: VirtualService, { parents, namespace, isMesh, rules }: Draft): ObjectMeta {
    const { metadata, origin } = virtualService;
    const hostnames = isMesh ? [] : this.#hostnames(virtualService);
    const common = commonMetadata(metadata);
    const chunks = inChunks(rules);
    const first: ObjectMeta = { ...common, namespace, name: this.#freeName(namespace, metadata.name) };
    for (const [index, chunk] of chunks.entries()) {
      const name =
        index === 0
          ? first.name
          : this.#freeName(namespace, `${metadata.name}-${String(index + 1).padStart(String(chunks.length).length, '0')}`);
      this.#routes.push({
        apiVersion: GATEWAY_API_VERSION,
        kind: 'HTTPRoute',
        metadata: { ...common, name, namespace },
        spec: { parentRefs: distinct(parents), ...(hostnames.length === 0 ? {} : { hostnames }), rules: chunk },
        origin,
      });
    }
    return first;
  }

  #freeName(namespace: string, wanted: string): string {
    let name = wanted;
    for (let count = 2; this.#names.has(`${namespace}/${name}`); count++) name = `${wanted}-${count}`;
    this.#names.add(`${namespace}/${name}`);
    return name;
  }

  /** None: all that the listeners have. */
  #hostnames(virtualService: VirtualService): readonly string[] {
    const hosts = this.#hostsOf(virtualService);
    if (hosts.includes('*')) return [];
    const good = hosts.filter(isHostname);
    const bad = hosts.filter((host) => !good.includes(host));
    if (bad.length > 0) this.#changes.omitted(spotOf(virtualService, 'spec.hosts'), `${bad.join(', ')} cannot be a hostname of a route`);
    return good;
  }

  #tls(virtualService: VirtualService, rule: IstioTlsRoute, index: number): void {
    const { metadata, spec, origin } = virtualService;
    const spot = spotOf(virtualService, `spec.tls[${index}]`);
    for (const [at, match] of rule.match.entries()) {
      const place = below(spot, `match[${at}]`);
      const { sniHosts, port, gateways = spec.gateways } = match;
      const asks = (['destinationSubnets', 'sourceLabels', 'sourceNamespace'] as const).find((field) => match[field] !== undefined);
      if (asks !== undefined) {
        this.#changes.leftOut(below(place, asks), 'the match is left out: connections are told apart by the name of the server alone');
        continue;
      }
      const bound = boundGateways(gateways, metadata.namespace);
      if (bound.includes(MESH_GATEWAY)) this.#changes.leftOut(place, 'the match is left out for the mesh: TLSRoutes are for Gateways');
      const names = sniHosts.map(normalizeHost);
      const listeners = this.#listeners.filter(
        (listener) =>
          bound.includes(`${listener.gateway.metadata.namespace}/${listener.gateway.metadata.name}`) &&
          listener.traffic === 'passthrough' &&
          (port === undefined || port === 0 || port === listener.port) &&
          names.some((name) => narrower(listener.host, name) !== undefined),
      );
      const [first] = listeners;
      if (first === undefined) continue;
      const backendRefs = (rule.route ?? []).map(({ destination, weight }) => {
        const host = this.#compilation.resolve(destination.host, metadata.namespace);
        const backend = this.#services.backend(host, destination.subset ?? '', destination.port?.number, first.port);
        if (backend.namespace !== metadata.namespace) this.#grant('TLSRoute', metadata.namespace, backend.namespace);
        return {
          name: backend.name,
          ...(backend.namespace === metadata.namespace ? {} : { namespace: backend.namespace }),
          port: backend.port,
          ...((rule.route ?? []).length === 1 ? {} : { weight: weight ?? 0 }),
        };
      });
      if (backendRefs.length === 0) continue;
      this.#routes.push({
        apiVersion: GATEWAY_API_VERSION,
        kind: 'TLSRoute',
        metadata: {
          ...commonMetadata(metadata),
          namespace: metadata.namespace,
          name: this.#freeName(metadata.namespace, `${metadata.name}-tls`),
        },
        spec: {
          parentRefs: listeners.map(({ gateway, name }) => ({
            name: gateway.metadata.name,
            ...(gateway.metadata.namespace === metadata.namespace ? {} : { namespace: gateway.metadata.namespace }),
            sectionName: name,
          })),
          hostnames: names,
          rules: [{ backendRefs }],
        },
        origin,
      });
    }
  }
}
