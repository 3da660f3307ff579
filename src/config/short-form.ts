/**
 * The short form (`services:`) to standard resources, so that it can do nothing they cannot: a ServiceEntry with an endpoint for each URL, a
 * DestinationRule with a subset for each version, a VirtualService when there are routes, and a Rollout when there is one. All carry the
 * service's name.
 *
 * A version with `run:` has no endpoint of its own: it is in the ServiceEntry's annotation `serin.dev/run`, and its endpoints come and go with its
 * processes.
 *
 * What it expands to goes through the same rules as written resources; each problem is shown at the line of the short form it came from.
 */
import type { Diagnostic } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import { checkHealthCheckValues } from './health-check.ts';
import type { RolloutSpec } from './serin/rollout-spec.ts';
import { readKind, type SpecKind } from './istio/kinds.ts';
import { salvage } from './istio/salvage.ts';
import { checkShape } from './istio/shape.ts';
import { loadedResource, type LoadedResource } from './loaded.ts';
import { isDns1123Label, isIpAddress } from './names.ts';
import { Place, Report, show, type Locate, type ResourceId } from './report.ts';
import {
  HEALTH_CHECK_ANNOTATION,
  RUN_ANNOTATION,
  type DestinationRuleSpec,
  type HttpMatchRequest,
  type HttpRouteDestination,
  type IstioHttpRoute,
  type ObjectMeta,
  type RunSpec,
  type ServiceEntrySpec,
  type StringMatch,
  type VirtualServiceSpec,
  type WorkloadEntrySpec,
} from './resources.ts';
import {
  matchSchema,
  routeSchema,
  serviceSchema,
  shortFormSchema,
  versionSchema,
  type ShortMatch,
  type ShortRoute,
  type ShortService,
  type ShortVersion,
} from './short-form-schema.ts';
import { checkRun } from './run.ts';
import { readRun, type RunSource } from './short-form-run.ts';
import { parseUpstreamUrl, type Upstream } from './upstream-url.ts';
import type { Path } from './yaml-node.ts';

const API_VERSION = 'networking.istio.io/v1';
const ROLLOUT_API_VERSION = 'serin.dev/v1alpha1';
const PORT_NAME = 'http';
/** The label that tells versions apart; Istio's own convention. */
const VERSION_LABEL = 'version';

export function readShortForm(value: unknown, locate: Locate, loaded: LoadedResource[], diagnostics: Diagnostic[]): void {
  const root = Place.root(new Report({ kind: '', namespace: '', name: '' }, locate, diagnostics));
  const whole = checkShape(shortFormSchema, value, root) ? { value, place: root } : salvage(shortFormSchema, value, root);
  if (whole === undefined) return;
  const { services } = whole.value;
  const names = Object.keys(services);
  if (names.length === 0)
    whole.place
      .at('services')
      .error('E_REQUIRED', 'services is empty', 'add a service: services: { reviews: { versions: { v1: http://127.0.0.1:9081 } } }');
  for (const [name, service] of Object.entries(services)) {
    const said = diagnostics.length;
    const id = { kind: 'services', namespace: namespaceOf(service), name };
    const place = Place.root(new Report(id, locate, diagnostics))
      .at('services')
      .at(name);
    const isName = isDns1123Label(name);
    if (!isName) place.keyError('E_NAME', `service name ${show(name)} is not a DNS label`, 'at most 63 lower-case letters, digits and -');
    const isShape = checkShape(serviceSchema, service, place);
    const rest = isShape ? { value: service, place } : salvage(serviceSchema, service, place);
    if (rest !== undefined) new Expansion(rest.value, rest.place, locate, loaded, diagnostics, said).run(isName && isShape);
  }
}

function namespaceOf(service: unknown): string {
  const found = typeof service === 'object' && service !== null && 'namespace' in service ? service.namespace : undefined;
  return typeof found === 'string' ? found : 'default';
}

/** Which field of the short form a field of an expanded resource comes from. */
class Sources {
  readonly #paths = new Map<string, Path>();

  set(path: Path, from: Place): void {
    this.#paths.set(JSON.stringify(path), from.path);
  }

  /** Of the field itself or the nearest one around it. */
  find(path: Path): Path | undefined {
    for (let length = path.length; length >= 0; length--) {
      const found = this.#paths.get(JSON.stringify(path.slice(0, length)));
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** Every field of `value` stands at the same path below `from`. */
function sourcesBelow(value: unknown, path: Path, from: Place, sources: Sources): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const step = Array.isArray(value) ? Number(key) : key;
    sources.set([...path, step], from.at(step));
    sourcesBelow(item, [...path, step], from.at(step), sources);
  }
}

/** True for `services.a.routes[0]` within `services.a`. */
function isWithin(path: string, outer: string): boolean {
  return path.startsWith(outer) && (path.length === outer.length || outer === '' || '.['.includes(path.charAt(outer.length)));
}

interface ExpandedVersion {
  readonly upstreams: readonly { readonly upstream: Upstream; readonly at: Place }[];
  readonly weight?: number;
  readonly run?: { readonly spec: RunSpec; readonly sources: readonly RunSource[] };
}

class Expansion {
  readonly #service: ShortService;
  readonly #place: Place;
  readonly #locate: Locate;
  readonly #loaded: LoadedResource[];
  readonly #diagnostics: Diagnostic[];
  readonly #name: string;
  readonly #versions: readonly string[];
  /** Diagnostics from here on are this service's. */
  readonly #said: number;
  /** Nothing is expanded from a service with mistakes of its own. */
  #isGood = true;

  constructor(service: ShortService, place: Place, locate: Locate, loaded: LoadedResource[], diagnostics: Diagnostic[], said: number) {
    this.#service = service;
    this.#place = place;
    this.#locate = locate;
    this.#loaded = loaded;
    this.#diagnostics = diagnostics;
    this.#said = said;
    this.#name = place.report.id.name;
    this.#versions = Object.keys(service.versions);
  }

  /** @param isGood false: the service is only looked through for further mistakes. */
  run(isGood: boolean): void {
    this.#isGood = isGood;
    const { healthCheck, namespace = 'default' } = this.#service;
    if (!isDns1123Label(namespace)) this.#fail(this.#place.at('namespace'), 'E_NAME', `namespace ${show(namespace)} is not a DNS label`);
    if (healthCheck !== undefined && !checkHealthCheckValues(healthCheck, this.#place.at('healthCheck'))) this.#isGood = false;
    const entry = this.#serviceEntry();
    const rule = this.#destinationRule();
    const routes = this.#virtualService();
    const rollout = this.#rollout();
    if (!this.#isGood) {
      this.#checkRest('DestinationRule', rule);
      this.#checkRest('VirtualService', routes);
      this.#checkRest('Rollout', rollout);
      return;
    }
    const annotations = {
      ...(healthCheck === undefined ? {} : { [HEALTH_CHECK_ANNOTATION]: JSON.stringify(healthCheck) }),
      ...(Object.keys(entry.runs).length === 0 ? {} : { [RUN_ANNOTATION]: JSON.stringify(entry.runs) }),
    };
    this.#emit('ServiceEntry', entry.spec, entry.sources, annotations);
    this.#emit('DestinationRule', rule.spec, rule.sources);
    if (routes !== undefined) this.#emit('VirtualService', routes.spec, routes.sources);
    if (rollout !== undefined) this.#emit('Rollout', rollout.spec, rollout.sources);
  }

  #fail(place: Place, code: 'E_NAME' | 'E_REF' | 'E_REQUIRED' | 'E_TYPE' | 'E_ONE_OF', message: string, hint?: string): void {
    this.#isGood = false;
    place.error(code, message, hint);
  }

  /** Where a field of an expanded resource stands. */
  #locateIn(sources: Sources): Locate {
    return (path, at) => this.#locate(sources.find(path) ?? this.#place.path, at);
  }

  #emit(kind: SpecKind, spec: unknown, sources: Sources, annotations: Readonly<Record<string, string>> = {}): void {
    const namespace = this.#service.namespace ?? 'default';
    const locate = this.#locateIn(sources);
    const id: ResourceId = { kind, namespace, name: this.#name };
    const metadata: ObjectMeta = { name: this.#name, namespace, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) };
    const place = Place.root(new Report(id, locate, this.#diagnostics)).at('spec');
    const read = readKind(kind, spec, place, id, metadata);
    const apiVersion = kind === 'Rollout' ? ROLLOUT_API_VERSION : API_VERSION;
    if (read !== undefined) this.#loaded.push(loadedResource({ apiVersion, metadata, ...read, origin: locate([], 'key').origin }, locate));
  }

  /** What else is wrong in a service with mistakes, but nothing at, around or below them: that would follow from them. */
  #checkRest(kind: SpecKind, part: { readonly spec: unknown; readonly sources: Sources } | undefined): void {
    if (part === undefined) return;
    const found: Diagnostic[] = [];
    const id: ResourceId = { kind, namespace: this.#service.namespace ?? 'default', name: this.#name };
    const place = Place.root(new Report(id, this.#locateIn(part.sources), found)).at('spec');
    readKind(kind, part.spec, place, id, { name: this.#name, namespace: id.namespace });
    const said = this.#diagnostics.slice(this.#said);
    for (const problem of found) {
      const isNews = problem.severity === 'error' && !said.some(({ path }) => isWithin(path, problem.path) || isWithin(problem.path, path));
      if (isNews) this.#diagnostics.push(problem);
    }
  }

  #serviceEntry(): { readonly spec: ServiceEntrySpec; readonly runs: Readonly<Record<string, RunSpec>>; readonly sources: Sources } {
    const sources = new Sources();
    const runs: Record<string, RunSpec> = {};
    const endpoints: WorkloadEntrySpec[] = [];
    if (this.#versions.length === 0)
      this.#fail(this.#place.at('versions'), 'E_REQUIRED', 'versions is empty', 'add one: versions: { v1: http://127.0.0.1:9081 }');
    for (const [name, value] of Object.entries(this.#service.versions)) {
      const place = this.#place.at('versions').at(name);
      if (!isDns1123Label(name)) {
        this.#isGood = false;
        place.keyError(
          'E_NAME',
          `version name ${show(name)} is not a DNS label`,
          'at most 63 lower-case letters, digits and -, such as v1 or v1-2',
        );
      }
      const version = this.#version(value, place);
      if (version.run !== undefined) {
        runs[name] = version.run.spec;
        const path = ['metadata', 'annotations', RUN_ANNOTATION, name];
        for (const [field, at] of version.run.sources) sources.set([...path, ...field], at);
        const id = { kind: 'ServiceEntry', namespace: this.#service.namespace ?? 'default', name: this.#name };
        let at = Place.root(new Report(id, this.#locateIn(sources), this.#diagnostics));
        for (const step of path) at = at.at(step);
        if (!checkRun(version.run.spec, at)) this.#isGood = false;
      }
      for (const { upstream, at } of version.upstreams) {
        sources.set(['spec', 'endpoints', endpoints.length], at);
        endpoints.push({
          address: upstream.address,
          ports: { [PORT_NAME]: upstream.port },
          labels: { [VERSION_LABEL]: name },
          ...(version.weight === undefined ? {} : { weight: version.weight }),
        });
      }
    }
    sources.set(['spec', 'ports'], this.#place.at('port'));
    sources.set(['spec', 'endpoints'], this.#place.at('versions'));
    const resolution = endpoints.every(({ address = '' }) => isIpAddress(address)) ? 'STATIC' : 'DNS';
    const number = this.#service.port ?? 80;
    const ports = [{ number, name: PORT_NAME, protocol: this.#service.protocol ?? 'HTTP' }];
    return { spec: { hosts: [this.#name], ports, location: 'MESH_INTERNAL', resolution, endpoints }, runs, sources };
  }

  #version(value: unknown, place: Place): ExpandedVersion {
    if (typeof value === 'string') return { upstreams: this.#upstreams([[value, place]]) };
    if (Array.isArray(value)) {
      if (value.length === 0) this.#fail(place, 'E_REQUIRED', 'list of URLs is empty');
      return { upstreams: this.#upstreams(value.map((url: unknown, index) => [url, place.at(index)])) };
    }
    if (typeof value !== 'object' || value === null) {
      this.#fail(place, 'E_TYPE', `expected a URL, a list of URLs or a mapping, found ${show(value)}`, 'write http://HOST:PORT');
      return { upstreams: [] };
    }
    if (!checkShape(versionSchema, value, place)) {
      this.#isGood = false;
      const rest = salvage(versionSchema, value, place);
      return rest === undefined ? { upstreams: [] } : this.#versionMapping(rest.value, rest.place);
    }
    return this.#versionMapping(value, place);
  }

  #versionMapping(value: ShortVersion, place: Place): ExpandedVersion {
    const { url, urls = [], run, weight } = value;
    if (url !== undefined && value.urls !== undefined)
      this.#fail(place, 'E_ONE_OF', 'a version cannot have both url and urls', 'keep urls');
    if (run !== undefined) {
      if (url !== undefined || value.urls !== undefined)
        this.#fail(place, 'E_ONE_OF', 'a version cannot have both run and a URL', 'keep run where Serin is to start it');
      const read = readRun(value, place, this.#service.healthCheck?.path);
      if (read === undefined) this.#isGood = false;
      return { upstreams: [], ...(read === undefined ? {} : { run: read }) };
    }
    const without = (['env', 'instances', 'ready', 'stopTimeout'] as const).filter((field) => value[field] !== undefined);
    if (without.length > 0)
      this.#fail(place, 'E_REQUIRED', `${without.join(', ')} without run: there is no process`, 'run: node reviews.js');
    if (url === undefined && urls.length === 0)
      this.#fail(place, 'E_REQUIRED', 'a version needs run, url or urls', 'run: node reviews.js, or url: http://127.0.0.1:9081');
    const all: [unknown, Place][] = urls.map((text, index) => [text, place.at('urls').at(index)]);
    if (url !== undefined) all.unshift([url, place.at('url')]);
    return { upstreams: this.#upstreams(all), ...(weight === undefined ? {} : { weight }) };
  }

  #upstreams(urls: readonly (readonly [unknown, Place])[]): { readonly upstream: Upstream; readonly at: Place }[] {
    const found: { upstream: Upstream; at: Place }[] = [];
    const seen = new Set<string>();
    for (const [url, at] of urls) {
      if (typeof url !== 'string') {
        this.#fail(at, 'E_TYPE', `expected a URL, found ${show(url)}`, 'write http://HOST:PORT');
        continue;
      }
      const upstream = parseUpstreamUrl(url, at);
      if (upstream === undefined) {
        this.#isGood = false;
        continue;
      }
      const key = `${upstream.address} ${upstream.port}`;
      if (seen.has(key)) at.warn('W_INEFFECTIVE', `URL ${show(url)} is given twice`);
      seen.add(key);
      found.push({ upstream, at });
    }
    return found;
  }

  #destinationRule(): { readonly spec: DestinationRuleSpec; readonly sources: Sources } {
    const sources = new Sources();
    for (const [index, name] of this.#versions.entries()) sources.set(['spec', 'subsets', index], this.#place.at('versions').at(name));
    const { loadBalancer } = this.#service;
    return {
      spec: {
        host: this.#name,
        ...(loadBalancer === undefined ? {} : { trafficPolicy: { loadBalancer: { simple: loadBalancer } } }),
        subsets: this.#versions.map((name) => ({ name, labels: { [VERSION_LABEL]: name } })),
      },
      sources,
    };
  }

  #rollout(): { readonly spec: RolloutSpec; readonly sources: Sources } | undefined {
    const { rollout } = this.#service;
    if (rollout === undefined) return undefined;
    const place = this.#place.at('rollout');
    const { steps, ...rest } = rollout;
    this.#knownVersion(rest.stable, place.at('stable'), false);
    if (rest.canary !== undefined) this.#knownVersion(rest.canary, place.at('canary'), false);
    for (const [index, canary] of (rest.canaries ?? []).entries()) this.#knownVersion(canary, place.at('canaries').at(index), false);
    if (steps !== undefined && rest.strategy !== undefined)
      this.#fail(place, 'E_ONE_OF', 'rollout cannot have both steps and strategy', 'steps stands for strategy.canary.steps');
    const sources = new Sources();
    sources.set(['spec'], place);
    sourcesBelow(rest, ['spec'], place, sources);
    if (steps !== undefined) {
      sources.set(['spec', 'strategy', 'canary', 'steps'], place.at('steps'));
      sourcesBelow(steps, ['spec', 'strategy', 'canary', 'steps'], place.at('steps'), sources);
    }
    return { spec: { host: this.#name, ...rest, ...(steps === undefined ? {} : { strategy: { canary: { steps } } }) }, sources };
  }

  #virtualService(): { readonly spec: VirtualServiceSpec; readonly sources: Sources } | undefined {
    const { routes } = this.#service;
    if (routes === undefined) return undefined;
    const place = this.#place.at('routes');
    if (routes.length === 0)
      this.#fail(place, 'E_REQUIRED', 'routes is empty', 'add - to: VERSION, or remove routes to balance over all versions');
    const sources = new Sources();
    const http: IstioHttpRoute[] = [];
    for (const [index, route] of routes.entries()) {
      const at = place.at(index);
      const path = ['spec', 'http', http.length];
      sources.set(path, at);
      if (checkShape(routeSchema, route, at)) {
        http.push(this.#route(route, at, path, sources));
        continue;
      }
      this.#isGood = false;
      const rest = salvage(routeSchema, route, at);
      if (rest !== undefined) http.push(this.#route(rest.value, rest.place, path, sources));
    }
    sources.set(['spec', 'http'], place);
    return { spec: { hosts: [this.#name], http }, sources };
  }

  #route(route: ShortRoute, place: Place, path: Path, sources: Sources): IstioHttpRoute {
    const { name, match, to, split, timeout } = route;
    if (to !== undefined && split !== undefined) this.#fail(place, 'E_ONE_OF', 'a route cannot have both to and split', 'keep one of them');
    if (to === undefined && split === undefined)
      this.#fail(place, 'E_REQUIRED', 'a route needs to or split', 'to: v1, or split: { v1: 90, v2: 10 }');
    const destinations: HttpRouteDestination[] = [];
    if (to !== undefined) {
      this.#knownVersion(to, place.at('to'), false);
      destinations.push({ destination: { host: this.#name, subset: to } });
      sources.set([...path, 'route'], place.at('to'));
    }
    if (split !== undefined) {
      sources.set([...path, 'route'], place.at('split'));
      if (Object.keys(split).length === 0) this.#fail(place.at('split'), 'E_REQUIRED', 'split is empty', 'split: { v1: 90, v2: 10 }');
      for (const [version, weight] of Object.entries(split)) {
        this.#knownVersion(version, place.at('split').at(version), true);
        sources.set([...path, 'route', destinations.length], place.at('split').at(version));
        destinations.push({ destination: { host: this.#name, subset: version }, weight });
      }
    }
    if (timeout !== undefined) sources.set([...path, 'timeout'], place.at('timeout'));
    const matches = match === undefined ? undefined : this.#matches(match, place.at('match'), [...path, 'match'], sources);
    return {
      ...(name === undefined ? {} : { name }),
      ...(matches === undefined ? {} : { match: matches }),
      route: destinations,
      ...(timeout === undefined ? {} : { timeout }),
    };
  }

  #knownVersion(name: string, place: Place, isKey: boolean): void {
    if (this.#versions.includes(name)) return;
    this.#isGood = false;
    const close = nearest(name, this.#versions);
    const hint = close === undefined ? `versions: ${this.#versions.join(', ')}` : `did you mean ${close}?`;
    const message = `${this.#name} has no version ${show(name)}`;
    if (isKey) place.keyError('E_REF', message, hint);
    else place.error('E_REF', message, hint);
  }

  /** One block, or a list of blocks of which one must hold. */
  #matches(value: unknown, place: Place, path: Path, sources: Sources): HttpMatchRequest[] {
    sources.set(path, place);
    const blocks: readonly (readonly [unknown, Place])[] = Array.isArray(value)
      ? value.map((block: unknown, index) => [block, place.at(index)] as const)
      : [[value, place]];
    return blocks.map(([block, at], index) => {
      sources.set([...path, index], at);
      return this.#match(block, at, [...path, index], sources);
    });
  }

  #match(value: unknown, place: Place, path: Path, sources: Sources): HttpMatchRequest {
    if (!checkShape(matchSchema, value, place)) {
      this.#isGood = false;
      const rest = salvage(matchSchema, value, place);
      return rest === undefined ? {} : this.#matchBlock(rest.value, rest.place, path, sources);
    }
    return this.#matchBlock(value, place, path, sources);
  }

  #matchBlock(value: ShortMatch, place: Place, path: Path, sources: Sources): HttpMatchRequest {
    const { path: uriPath, uri = uriPath, method, headers, queryParams } = value;
    if (uriPath !== undefined && value.uri !== undefined) this.#fail(place, 'E_ONE_OF', 'path and uri are the same', 'keep one of them');
    const uriKey = value.uri === undefined ? 'path' : 'uri';
    const result: { -readonly [K in keyof HttpMatchRequest]: HttpMatchRequest[K] } = {};
    if (uri !== undefined) {
      sources.set([...path, 'uri'], place.at(uriKey));
      result.uri = this.#stringMatch(uri, place.at(uriKey), 'prefix');
    }
    if (method !== undefined) {
      sources.set([...path, 'method'], place.at('method'));
      result.method = this.#stringMatch(method, place.at('method'), 'exact');
    }
    for (const [field, entries] of [
      ['headers', headers],
      ['queryParams', queryParams],
    ] as const) {
      if (entries === undefined) continue;
      const matches: Record<string, StringMatch> = {};
      for (const [name, entry] of Object.entries(entries)) {
        sources.set([...path, field, name], place.at(field).at(name));
        matches[name] = this.#stringMatch(entry, place.at(field).at(name), 'exact');
      }
      result[field] = matches;
    }
    return result;
  }

  /** A text stands for `exact` (for `prefix` in a path); anything else is a StringMatch and checked as one. */
  #stringMatch(value: unknown, place: Place, plain: 'exact' | 'prefix'): StringMatch {
    if (typeof value === 'string') return { [plain]: value };
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    const hint = typeof value === 'number' || typeof value === 'boolean' ? `put it in quotes: "${String(value)}"` : undefined;
    this.#fail(place, 'E_TYPE', `expected a text or one of exact, prefix and regex, found ${show(value)}`, hint);
    return {};
  }
}
