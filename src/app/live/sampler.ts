/**
 * Looks at the shared counters and says what has changed, as the JSON of `LiveUpdate`.
 *
 * Every service is written out once for every change of it, whoever watches; an update is put together from these texts. A service without requests costs reading a few
 * words.
 */
import type { LiveService, LiveVersion } from '../../admin/live-types.ts';
import type { Clock } from '../../base/clock.ts';
import { versionService } from '../../config/release-target.ts';
import { type Proxy, UNROUTED } from '../../proxy/proxy.ts';
import { inRace } from '../../rollout/race.ts';
import { servingSubset } from '../../rollout/state.ts';
import type { Supervisor } from '../../workload/supervisor.ts';
import type { InForce, Pipeline } from '../pipeline.ts';
import type { Rollouts } from '../rollouts/engine.ts';
import { endpointCounts, type LivePlan, livePlan, type ServicePlan, type VersionPlan } from './plan.ts';
import { VersionWindow, WINDOW_LOOKS } from './version-window.ts';

export interface SamplerDeps {
  readonly pipeline: Pick<Pipeline, 'inForce'>;
  readonly proxy: Pick<Proxy, 'stats' | 'health' | 'outliers'>;
  readonly processes: Pick<Supervisor, 'states'>;
  readonly rollouts: Pick<Rollouts, 'released'>;
  readonly clock: Clock;
}

interface WatchedService {
  plan: ServicePlan;
  /** One a version of the plan. */
  windows: readonly VersionWindow[];
  /** What of it comes from elsewhere than counters, as it was written. */
  aside: string;
  text: string;
  /** Of all versions. */
  requestsPerSecond: number;
  failuresPerSecond: number;
  active: number;
}

type Roles = ReadonlyMap<string, LiveVersion['role']>;
interface ProcessCount {
  total: number;
  ready: number;
}

export class LiveSampler {
  readonly #deps: SamplerDeps;
  readonly #services = new Map<string, WatchedService>();
  /** Requests that no rule took. */
  readonly #unrouted = new VersionWindow();
  #inForce: InForce | undefined;
  #plan: LivePlan = { services: [], listeners: [] };
  #listeners = '[]';
  #lastMs: number;
  /** Of the looks in the percentiles, newest last. */
  #seconds: readonly number[] = [];
  #at: number;

  /** What was counted before is the past. */
  constructor(deps: SamplerDeps) {
    this.#deps = deps;
    this.#lastMs = deps.clock.monotonicMs();
    this.#at = deps.clock.nowMs();
    this.#unrouted.follow([UNROUTED], deps.proxy.stats);
    this.#replan();
    this.#write();
  }

  /** @returns JSON of an update with what has changed since the last look. */
  look(): string {
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    // Two looks in one millisecond are a second apart for nobody.
    const seconds = Math.max(0.001, (nowMs - this.#lastMs) / 1000);
    this.#lastMs = nowMs;
    this.#at = clock.nowMs();
    this.#seconds = [...this.#seconds, seconds].slice(-WINDOW_LOOKS);
    const { removed, listeners } = this.#replan();
    this.#unrouted.look(seconds);
    const changed = this.#write(seconds);
    return `${this.#head(false)},"services":[${changed.join(',')}],"removed":${JSON.stringify(removed)}${listeners}}`;
  }

  /** There has been a look. */
  get hasRates(): boolean {
    return this.#seconds.length > 0;
  }

  /** JSON of an update with every service, in pieces; each as it is when it is taken. */
  *full(): Iterable<string> {
    yield `${this.#head(true)},"listeners":${this.#listeners},"removed":[],"services":[`;
    let separator = '';
    for (const { host } of this.#plan.services) {
      const service = this.#services.get(host);
      if (service === undefined) continue;
      yield separator + service.text;
      separator = ',';
    }
    yield ']}';
  }

  #head(full: boolean): string {
    let [requests, failures, active] = [this.#unrouted.requestsPerSecond, this.#unrouted.failuresPerSecond, this.#unrouted.active];
    for (const service of this.#services.values()) {
      requests += service.requestsPerSecond;
      failures += service.failuresPerSecond;
      active += service.active;
    }
    const at = JSON.stringify(new Date(this.#at).toISOString());
    const windowSeconds = Math.round(this.#seconds.reduce((sum, each) => sum + each, 0));
    return `{"at":${at},"full":${full},"windowSeconds":${windowSeconds},"requestsPerSecond":${tenths(requests)},"errorsPerSecond":${tenths(failures)},"activeRequests":${active}`;
  }

  /** Takes over what is in force. @returns What of the update follows from it. */
  #replan(): { readonly removed: readonly string[]; readonly listeners: string } {
    const { pipeline, proxy } = this.#deps;
    const now = pipeline.inForce;
    if (now === this.#inForce) return { removed: [], listeners: '' };
    this.#inForce = now;
    this.#plan = livePlan(now, proxy);
    for (const plan of this.#plan.services) this.#watch(plan);
    const hosts = new Set(this.#plan.services.map(({ host }) => host));
    const removed = [...this.#services.keys()].filter((host) => !hosts.has(host));
    for (const host of removed) this.#services.delete(host);
    const text = JSON.stringify(this.#plan.listeners);
    if (text === this.#listeners) return { removed, listeners: '' };
    this.#listeners = text;
    return { removed, listeners: `,"listeners":${text}` };
  }

  #watch(plan: ServicePlan): void {
    const known = this.#services.get(plan.host);
    const bySubset = new Map(known?.plan.versions.map(({ subset }, index) => [subset, known.windows[index]]));
    const windows = plan.versions.map(({ subset, keys }) => {
      const window = bySubset.get(subset) ?? new VersionWindow();
      window.follow(keys, this.#deps.proxy.stats);
      return window;
    });
    if (known !== undefined) Object.assign(known, { plan, windows });
    else this.#services.set(plan.host, { plan, windows, aside: '', text: '', requestsPerSecond: 0, failuresPerSecond: 0, active: 0 });
  }

  /** @returns Texts of the services that are not what they were. @param seconds Since the last look; undefined: counters are not looked at. */
  #write(seconds?: number): string[] {
    const roles = this.#roles();
    const processes = this.#processCounts();
    const changed: string[] = [];
    for (const service of this.#services.values()) {
      const { plan, windows } = service;
      // Every window has to be looked at, whatever those before have found.
      const looks = seconds === undefined ? [] : windows.map((window) => window.look(seconds));
      const ofHost = roles.get(plan.host);
      const sides = plan.versions.map((version) => this.#aside(version, ofHost, processes));
      const aside = JSON.stringify(sides);
      if (!looks.includes(true) && aside === service.aside && service.text !== '') continue;
      service.aside = aside;
      const text = written(service, sides);
      if (text === service.text) continue;
      service.text = text;
      changed.push(text);
    }
    return changed;
  }

  #aside(version: VersionPlan, roles: Roles | undefined, processes: ReadonlyMap<string, ProcessCount>): Aside {
    const counts = { total: 0, ready: 0 };
    for (const id of version.processes) {
      counts.total += processes.get(id)?.total ?? 0;
      counts.ready += processes.get(id)?.ready ?? 0;
    }
    return {
      weightPercent: version.weightPercent,
      role: roles?.get(version.subset) ?? null,
      endpoints: endpointCounts(version, this.#deps.proxy.health),
      processes: version.processes.length === 0 ? null : counts,
    };
  }

  /** By host, then by subset. */
  #roles(): ReadonlyMap<string, Roles> {
    const byHost = new Map<string, Map<string, LiveVersion['role']>>();
    const underWay = new Set<string>();
    for (const { host, state } of this.#deps.rollouts.released()) {
      const { active, outcome } = state;
      if (underWay.has(host) || (active === undefined && outcome === undefined)) continue;
      if (active !== undefined) underWay.add(host);
      const roles: readonly (readonly [version: string, role: 'stable' | 'canary'])[] =
        active === undefined
          ? [[servingSubset(state), 'stable']]
          : [[state.stable, 'stable'], ...inRace(state).map((version) => [version, 'canary'] as const)];
      // Another release of the service said something else of its subsets before.
      byHost.delete(host);
      for (const [version, role] of roles) {
        const { host: service, subset } = versionService(host, version);
        const ofService = byHost.get(service) ?? new Map<string, LiveVersion['role']>();
        byHost.set(service, ofService.set(subset, role));
      }
    }
    return byHost;
  }

  /** By `ClusterProcess.id`. */
  #processCounts(): ReadonlyMap<string, ProcessCount> {
    const counts = new Map<string, ProcessCount>();
    for (const { namespace, service, version, phase } of this.#deps.processes.states()) {
      if (phase === 'stopped') continue;
      const id = `${namespace}/${service}/${version}`;
      const count = counts.get(id) ?? { total: 0, ready: 0 };
      count.total++;
      if (phase === 'ready') count.ready++;
      counts.set(id, count);
    }
    return counts;
  }
}

type Aside = Pick<LiveVersion, 'weightPercent' | 'role' | 'endpoints' | 'processes'>;

/** The service's JSON; its sums are left in it. */
function written(service: WatchedService, sides: readonly Aside[]): string {
  const { plan, windows } = service;
  service.requestsPerSecond = 0;
  service.failuresPerSecond = 0;
  service.active = 0;
  for (const window of windows) {
    service.requestsPerSecond += window.requestsPerSecond;
    service.failuresPerSecond += window.failuresPerSecond;
    service.active += window.active;
  }
  const versions = plan.versions.flatMap(({ subset }, index): LiveVersion[] => {
    const [window, aside] = [windows[index], sides[index]];
    // The service as a whole is a version where there are no others, or where it gets requests itself.
    if (window === undefined || aside === undefined || (subset === '' && plan.versions.length > 1 && !window.isUsed)) return [];
    const [p50, p90, p99] = window.percentiles ?? [];
    const share = service.requestsPerSecond === 0 ? null : Math.round((1000 * window.requestsPerSecond) / service.requestsPerSecond) / 1000;
    return [
      {
        subset,
        requestsPerSecond: tenths(window.requestsPerSecond),
        errorsPerSecond: tenths(window.failuresPerSecond),
        activeRequests: window.active,
        p50Ms: digits(p50),
        p90Ms: digits(p90),
        p99Ms: digits(p99),
        share,
        ...aside,
      },
    ];
  });
  const { host, name, namespace } = plan;
  const { requestsPerSecond, failuresPerSecond } = service;
  return JSON.stringify({
    host,
    name,
    namespace,
    requestsPerSecond: tenths(requestsPerSecond),
    errorsPerSecond: tenths(failuresPerSecond),
    versions,
  } satisfies LiveService);
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Three that count: the histogram knows no more than that. */
function digits(ms: number | undefined): number | null {
  return ms === undefined ? null : Number(ms.toPrecision(3));
}
