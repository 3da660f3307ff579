/**
 * What can only be seen with all resources at hand: references to things that are not there, and things that get in each other's way. All are
 * warnings, named after Istio's analyzers (pkg/config/analysis/msg/messages.yaml), with the nearest name that is there.
 */
import type { Diagnostic } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import { analyzeCertificates } from './analyze-certificates.ts';
import { analyzeDelegates } from './analyze-delegates.ts';
import { analyzeEndpointSlices, analyzeServices, isGatewayApiGateway } from './analyze-kubernetes.ts';
import { warnConnections } from './analyze-releases.ts';
import { analyzeTargets } from './analyze-rollout-targets.ts';
import { hostsOverlap, normalizeHost, resolveHost, shortNames } from './hosts.ts';
import type { LoadedResource } from './loaded.ts';
import { identityText } from './manifest.ts';
import { warnNeverEjected } from './never-ejected.ts';
import { Place, Report, show } from './report.ts';
import { type AnyResource, type Destination, type DestinationRule, type Gateway, type VirtualService, wireKind } from './resources.ts';
import { checkRequires } from './serin/requires.ts';
import { meshHost, serviceIndex, subsetEndpoints, subsetProcesses, type ServiceIndex } from './services.ts';
import { analyzeMetrics } from './serin/metric-analysis.ts';
import type { Snapshot } from './snapshot.ts';
import type { Path } from './yaml-node.ts';

export function analyze(snapshot: Snapshot, loaded: readonly LoadedResource[], diagnostics: Diagnostic[]): void {
  new Analysis(snapshot, loaded, diagnostics).run();
}

const SPEC_HTTP: Path = ['spec', 'http'];

/** Comparing thousands of names with thousands of mistakes would take long; nobody reads that many hints. */
const MAX_HINTS = 100;
const MAX_CANDIDATES = 1000;

class Analysis {
  readonly #snapshot: Snapshot;
  readonly #services: ServiceIndex;
  readonly #gateways: ReadonlyMap<string, Gateway>;
  /** Every name a service can be called, for hints. */
  readonly #knownHosts: readonly string[];
  #hintsLeft = MAX_HINTS;
  readonly #places = new Map<AnyResource, Place>();
  /** Nothing was refused before. */
  readonly #isWhole: boolean;

  constructor(snapshot: Snapshot, loaded: readonly LoadedResource[], diagnostics: Diagnostic[]) {
    this.#snapshot = snapshot;
    this.#isWhole = diagnostics.every(({ severity }) => severity !== 'error');
    this.#services = serviceIndex(snapshot);
    this.#gateways = new Map(snapshot.gateways.map((gateway) => [nameOf(gateway), gateway]));
    this.#knownHosts = this.#services.services().flatMap(({ host }) => shortNames(host));
    for (const { resource, locate } of loaded) {
      const { namespace, name } = resource.metadata;
      this.#places.set(resource, Place.root(new Report({ kind: wireKind(resource.kind), namespace, name }, locate, diagnostics)));
    }
  }

  run(): void {
    this.#duplicateResources();
    for (const service of this.#snapshot.virtualServices) this.#virtualService(service);
    analyzeDelegates(this.#snapshot.virtualServices, (resource, path) => this.#place(resource, path));
    this.#meshHosts();
    this.#gatewayConflicts();
    analyzeCertificates(this.#snapshot.gateways, (gateway, path) => this.#place(gateway, path));
    this.#destinationRules();
    this.#serviceEntries();
    this.#rollouts();
    analyzeEndpointSlices(this.#snapshot, (slice, path) => this.#place(slice, path));
    // What is refused may be what gives them endpoints.
    if (this.#isWhole) analyzeServices(this.#snapshot, this.#services, (service, path) => this.#place(service, path));
  }

  #place(resource: AnyResource, path: Path = []): Place | undefined {
    let place = this.#places.get(resource);
    for (const step of path) place = place?.at(step);
    return place;
  }

  #didYouMean(name: string, candidates: readonly string[]): string | undefined {
    if (this.#hintsLeft === 0) return undefined;
    this.#hintsLeft--;
    const close = nearest(name, candidates.slice(0, MAX_CANDIDATES));
    return close === undefined ? undefined : `did you mean ${close}?`;
  }

  #duplicateResources(): void {
    const seen = new Map<string, AnyResource>();
    for (const resource of this.#places.keys()) {
      const key = `${resource.kind} ${nameOf(resource)}`;
      const earlier = seen.get(key);
      if (earlier === undefined) seen.set(key, resource);
      else {
        const { file, line } = earlier.origin;
        this.#place(resource, ['metadata', 'name'])?.error(
          'E_DUPLICATE',
          `${identityText({ kind: wireKind(resource.kind), ...resource.metadata })} is given twice: also at ${file}:${line}`,
          'rename or remove one of them',
        );
      }
    }
  }

  #virtualService(resource: VirtualService): void {
    const { namespace } = resource.metadata;
    const { hosts = [], gateways = [], http = [], tls = [], tcp = [] } = resource.spec;
    const bound: Gateway[] = [];
    for (const [index, name] of gateways.entries()) {
      if (name === 'mesh') continue;
      const gateway = this.#gateway(name, namespace);
      if (gateway === undefined) this.#unknownGateway(resource, ['spec', 'gateways', index], name);
      else bound.push(gateway);
    }
    if (bound.length > 0 && bound.length === gateways.length) {
      for (const [index, host] of hosts.entries()) {
        if (bound.some((gateway) => serves(gateway, normalizeHost(host), namespace))) continue;
        const served = bound.flatMap(({ spec }) => (spec.servers ?? []).flatMap((server) => server.hosts)).slice(0, 10);
        this.#place(resource, ['spec', 'hosts', index])?.warn(
          'W_HOST_NOT_IN_GATEWAY',
          `host ${show(host)} is served by no server of ${gateways.join(', ')}`,
          `servers have: ${served.join(', ')}`,
        );
      }
    }
    const reported = new Set<string>();
    for (const [kind, rules] of Object.entries({ tls, tcp })) {
      for (const [index, { match = [], route = [] }] of rules.entries()) {
        for (const [matchIndex, { gateways: names = [] }] of match.entries()) {
          for (const [at, name] of names.entries())
            if (name !== 'mesh' && this.#gateway(name, namespace) === undefined)
              this.#unknownGateway(resource, ['spec', kind, index, 'match', matchIndex, 'gateways', at], name);
        }
        for (const [at, { destination }] of route.entries())
          this.#destination(resource, destination, ['spec', kind, index, 'route', at, 'destination'], reported);
      }
    }
    for (const [index, rule] of http.entries()) {
      for (const [matchIndex, match] of (rule.match ?? []).entries()) {
        for (const [gatewayIndex, name] of (match.gateways ?? []).entries()) {
          if (name !== 'mesh' && this.#gateway(name, namespace) === undefined) {
            this.#unknownGateway(resource, [...SPEC_HTTP, index, 'match', matchIndex, 'gateways', gatewayIndex], name);
          }
        }
      }
      for (const [routeIndex, { destination }] of (rule.route ?? []).entries()) {
        this.#destination(resource, destination, [...SPEC_HTTP, index, 'route', routeIndex, 'destination'], reported);
      }
      if (rule.mirror !== undefined) this.#destination(resource, rule.mirror, [...SPEC_HTTP, index, 'mirror'], reported);
      for (const [mirrorIndex, { destination }] of (rule.mirrors ?? []).entries()) {
        this.#destination(resource, destination, [...SPEC_HTTP, index, 'mirrors', mirrorIndex, 'destination'], reported);
      }
    }
  }

  #gateway(name: string, namespace: string): Gateway | undefined {
    if (name.includes('/')) return this.#gateways.get(name);
    // The old form `name.namespace.svc.cluster.local`.
    const [first = '', second] = name.split('.');
    return this.#gateways.get(`${second ?? namespace}/${first}`);
  }

  #unknownGateway(resource: VirtualService, path: Path, name: string): void {
    const { namespace } = resource.metadata;
    if (isGatewayApiGateway(this.#snapshot, name, namespace)) {
      this.#place(resource, path)?.warn(
        'W_UNKNOWN_GATEWAY',
        `Gateway ${show(name)} is one of the Gateway API, which a VirtualService cannot be bound to`,
        'write an HTTPRoute with it in parentRefs, or a Gateway of networking.istio.io',
      );
      return;
    }
    const own = `${namespace}/`;
    const known = [...this.#gateways.keys()].flatMap((full) => (full.startsWith(own) ? [full.slice(own.length), full] : [full]));
    this.#place(resource, path)?.warn('W_UNKNOWN_GATEWAY', `Gateway ${show(name)} is not there`, this.#didYouMean(name, known));
  }

  /** Each kind of problem with one destination is said once a VirtualService. */
  #destination(resource: VirtualService, destination: Destination, path: Path, reported: Set<string>): void {
    const host = resolveHost(destination.host, resource.metadata.namespace);
    const port = destination.port?.number;
    const say = (
      field: string,
      code: 'W_UNKNOWN_HOST' | 'W_UNKNOWN_SUBSET' | 'W_UNKNOWN_PORT' | 'W_PORT_REQUIRED',
      message: string,
      hint?: string,
    ): void => {
      if (reported.has(message)) return;
      reported.add(message);
      this.#place(resource, [...path, ...field.split('.')])?.warn(code, message, hint);
    };
    const service = this.#services.service(host);
    if (service === undefined) {
      say(
        'host',
        'W_UNKNOWN_HOST',
        `host ${show(destination.host)} is no known service; requests to it get 503`,
        this.#didYouMean(destination.host, this.#knownHosts) ?? 'add a ServiceEntry',
      );
    } else if (port === undefined && service.ports.length > 1) {
      say(
        'host',
        'W_PORT_REQUIRED',
        `service ${service.host} has several ports (${service.ports.map(({ number }) => number).join(', ')}) but none is chosen`,
        'add port: { number: … }',
      );
    } else if (port !== undefined && service.ports.length > 0 && !service.ports.some(({ number }) => number === port)) {
      say(
        'port.number',
        'W_UNKNOWN_PORT',
        `service ${service.host} has no port ${port}`,
        `its ports: ${service.ports.map(({ number }) => number).join(', ')}`,
      );
    }
    const { subset = '' } = destination;
    if (subset === '') return;
    const subsets = this.#services.destinationRule(host)?.subsets ?? [];
    if (subsets.some(({ name }) => name === subset)) return;
    const names = subsets.map(({ name }) => name);
    const hint =
      names.length === 0
        ? `add a DestinationRule for ${destination.host} with it`
        : (this.#didYouMean(subset, names) ?? `subsets of ${host}: ${names.join(', ')}`);
    say(
      'subset',
      'W_UNKNOWN_SUBSET',
      `subset ${show(subset)} of ${show(destination.host)} is in no DestinationRule; requests to it get 503`,
      hint,
    );
  }

  #rollouts(): void {
    const { rollouts, virtualServices, metricTemplates } = this.#snapshot;
    checkRequires(rollouts, (rollout) => this.#place(rollout, ['spec', 'requires']));
    warnConnections(rollouts, virtualServices, (rollout) => this.#place(rollout, ['spec', 'host']));
    for (const resource of rollouts) {
      const metrics = this.#place(resource, ['spec', 'analysis', 'metrics']);
      if (metrics !== undefined) analyzeMetrics(resource, metricTemplates, metrics);
    }
    analyzeTargets(this.#snapshot, this.#services, {
      place: (resource, path) => this.#place(resource, path),
      didYouMean: (name, candidates) => this.#didYouMean(name, candidates),
      knownHosts: this.#knownHosts,
    });
  }

  #meshHosts(): void {
    const owners = new Map<string, VirtualService>();
    for (const resource of this.#snapshot.virtualServices) {
      const { hosts = [], gateways = [] } = resource.spec;
      if (gateways.length > 0 && !gateways.includes('mesh')) continue;
      for (const [index, host] of hosts.entries()) {
        const full = meshHost(host, resource.metadata.namespace);
        const owner = owners.get(full);
        if (owner === undefined) owners.set(full, resource);
        else if (owner !== resource) {
          this.#place(resource, ['spec', 'hosts', index])?.warn(
            'W_DUPLICATE_MESH_HOST',
            `host ${show(host)} is also in VirtualService ${nameOf(owner)}; its rules come first, then these`,
            'Istio takes only the oldest one; put all rules into it',
          );
        }
      }
    }
  }

  #gatewayConflicts(): void {
    const owners = new Map<string, Gateway>();
    for (const gateway of this.#snapshot.gateways) {
      const selector = selectorOf(gateway);
      for (const [index, { port, hosts }] of (gateway.spec.servers ?? []).entries()) {
        for (const [hostIndex, host] of hosts.entries()) {
          const key = JSON.stringify([port.number, selector, normalizeHost(host.slice(host.indexOf('/') + 1))]);
          const owner = owners.get(key);
          if (owner === undefined) owners.set(key, gateway);
          else if (owner !== gateway) {
            this.#place(gateway, ['spec', 'servers', index, 'hosts', hostIndex])?.warn(
              'W_GATEWAY_CONFLICT',
              `Gateway ${nameOf(owner)} has host ${show(host)} on port ${port.number} too`,
              'requests may match either; use one Gateway, or --listen NAMESPACE/NAME:PORT for each',
            );
          }
        }
      }
    }
  }

  #destinationRules(): void {
    const byHost = new Map<string, DestinationRule>();
    for (const rule of this.#snapshot.destinationRules) {
      const host = resolveHost(rule.spec.host, rule.metadata.namespace);
      const earlier = byHost.get(host);
      if (earlier === undefined) byHost.set(host, rule);
      else {
        this.#place(rule, ['spec', 'host'])?.warn(
          'W_DUPLICATE_HOST',
          `DestinationRule ${nameOf(earlier)} is for ${host} too; the older one counts where both say something`,
        );
      }
      if (host.startsWith('*')) continue;
      const service = this.#services.service(host);
      if (service === undefined) {
        this.#place(rule, ['spec', 'host'])?.warn(
          'W_UNUSED',
          `host ${show(rule.spec.host)} is no known service; the rule is not used`,
          this.#didYouMean(rule.spec.host, this.#knownHosts),
        );
        continue;
      }
      if (service.resolution === 'NONE' || service.resolution === 'DYNAMIC_DNS') continue;
      const place = this.#place(rule, ['spec']);
      if (place !== undefined) warnNeverEjected(rule, service, place);
      for (const [index, subset] of (rule.spec.subsets ?? []).entries()) {
        if (subsetEndpoints(service, subset).length + subsetProcesses(service, subset.labels ?? {}).length > 0) continue;
        const wanted = Object.entries(subset.labels ?? {}).map(([key, value]) => `${key}=${value}`);
        this.#place(rule, ['spec', 'subsets', index])?.warn(
          'W_EMPTY_SUBSET',
          `subset ${show(subset.name)} selects no endpoint of ${host} (labels: ${wanted.join(', ') || 'none'})`,
          'requests to it get 503',
        );
      }
    }
  }

  #serviceEntries(): void {
    const owners = new Map<string, AnyResource>();
    for (const entry of this.#snapshot.serviceEntries) {
      for (const [index, host] of entry.spec.hosts.entries()) {
        const full = resolveHost(host, entry.metadata.namespace);
        const owner = owners.get(full);
        if (owner === undefined) owners.set(full, entry);
        else if (owner !== entry) {
          const fate =
            (entry.spec.resolution ?? 'NONE') === this.#services.service(full)?.resolution
              ? 'endpoints of both are used'
              : 'the older one counts';
          this.#place(entry, ['spec', 'hosts', index])?.warn(
            'W_DUPLICATE_HOST',
            `ServiceEntry ${nameOf(owner)} is for ${full} too; ${fate}`,
          );
        }
      }
    }
  }
}

function nameOf({ metadata }: AnyResource): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** Whether a server of `gateway` takes VirtualServices of `namespace` for `host`. */
function serves(gateway: Gateway, host: string, namespace: string): boolean {
  return (gateway.spec.servers ?? []).some((server) =>
    server.hosts.some((entry) => {
      const slash = entry.indexOf('/');
      const allowed = slash === -1 ? '*' : entry.slice(0, slash);
      const isAllowed = allowed === '*' || allowed === namespace || (allowed === '.' && gateway.metadata.namespace === namespace);
      return isAllowed && hostsOverlap(normalizeHost(entry.slice(slash + 1)), host);
    }),
  );
}

function selectorOf(gateway: Gateway): string {
  return JSON.stringify(Object.entries(gateway.spec.selector ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
}
