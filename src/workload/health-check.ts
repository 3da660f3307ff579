/**
 * Active health checks: asks every endpoint of every cluster that has a `healthCheck`, and keeps the HealthBoard the data plane reads.
 *
 * Rules:
 * 1. An endpoint is healthy until checked. Its first result counts at once, good or bad; after that it takes `unhealthyThreshold` failures
 *    or `healthyThreshold` passes in a row to change its state.
 * 2. Our own lateness is never held against an endpoint: if this process stood still while a check was out, a check that got no answer
 *    counts for nothing; one that was refused does count. A check whose time was missed is left out.
 * 3. Checks are spread out (check-schedule.ts) and one endpoint has at most one check under way.
 * 4. Clusters that share address, port and path share the check; the settings are those of the first in the list.
 * 5. An endpoint is asked as requests ask it: over TLS, in HTTP/2, behind a PROXY header. Where a cluster speaks what its client does, in HTTP/1.1.
 *
 * Only IP addresses are checked: apply the table after its names were resolved.
 */
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { Cluster, HealthCheck, UpstreamTls } from '../routing/table.ts';
import { healthKey } from '../telemetry/health-board.ts';
import type { HealthBoard } from '../telemetry/health-board.ts';
import type { Credentials } from '../config/credential.ts';
import { CheckSchedule, startDelayMs } from './check-schedule.ts';
import { probe } from './health-probe.ts';
import type { ProbeResult, ProbeTarget } from './health-probe.ts';
import { LoopWatch } from './loop-watch.ts';

/** A timer this late means the process stood still. */
const LATE_MS = 200;

export interface EndpointHealth {
  /** As `healthKey` made it. */
  readonly key: string;
  /** The service it was found in. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly path: string;
  readonly healthy: boolean;
  /** Results that counted so far. */
  readonly checks: number;
  /** What the last one found (`status 503`); undefined before the first. */
  readonly detail?: string;
  /** When it came, epoch ms. */
  readonly checkedAtMs?: number;
}

export interface HealthCheckerDeps {
  readonly board: HealthBoard;
  readonly clock: Clock;
  readonly random: Random;
  /** How connections are secured. @throws When a credential cannot be used. */
  readonly secure: (tls: UpstreamTls, credentials: Credentials) => ConnectionOptions;
  /** Called after the board was changed, each time an endpoint becomes healthy or unhealthy. */
  readonly onChange?: (endpoint: EndpointHealth) => void;
}

export class HealthChecker {
  readonly #deps: HealthCheckerDeps;
  readonly #loop: LoopWatch;
  readonly #checked = new Map<string, CheckedEndpoint>();

  /** Checks nothing until `apply`. */
  constructor(deps: HealthCheckerDeps) {
    this.#deps = deps;
    this.#loop = new LoopWatch(deps.clock);
  }

  /** Checks exactly the endpoints of these clusters from now on. Those that stay keep their state and their place in time. */
  apply(clusters: readonly Cluster[], credentials: Credentials = new Map()): void {
    const wanted = wantedTargets(clusters, (tls) => this.#deps.secure(tls, credentials));
    for (const [key, endpoint] of this.#checked) {
      if (wanted.has(key)) continue;
      endpoint.close();
      this.#checked.delete(key);
    }
    let fresh = 0;
    for (const [key, target] of wanted) {
      const known = this.#checked.get(key);
      if (known !== undefined) known.retarget(target);
      else {
        const delayMs = startDelayMs(fresh++, target.check.intervalMs, this.#deps.random);
        this.#checked.set(key, new CheckedEndpoint(key, target, delayMs, this.#deps, this.#loop));
      }
    }
  }

  /** Every endpoint under check, with what is known of it. */
  states(): readonly EndpointHealth[] {
    return [...this.#checked.values()].map((endpoint) => endpoint.state());
  }

  /** Stops all checks. The board keeps what it says. */
  close(): void {
    for (const endpoint of this.#checked.values()) endpoint.close();
    this.#checked.clear();
    this.#loop.close();
  }
}

interface CheckTarget {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly check: HealthCheck;
  readonly how: Pick<ProbeTarget, 'isHttp2' | 'tls' | 'proxyProtocol'>;
}

/** One endpoint under check: its timer, its check under way, its run of results. */
class CheckedEndpoint {
  readonly #key: string;
  readonly #slot: number;
  readonly #deps: HealthCheckerDeps;
  readonly #loop: LoopWatch;
  readonly #closed = new AbortController();
  #target: CheckTarget;
  #schedule: CheckSchedule;
  #timer: NodeJS.Timeout;
  #dueMs: number;
  #isAsking = false;
  #skipped = false;
  #healthy = true;
  #checks = 0;
  /** Results in a row that speak against the present state. */
  #against = 0;
  #detail: string | undefined;
  #checkedAtMs: number | undefined;

  constructor(key: string, target: CheckTarget, delayMs: number, deps: HealthCheckerDeps, loop: LoopWatch) {
    this.#target = target;
    this.#key = key;
    this.#deps = deps;
    this.#loop = loop;
    this.#slot = deps.board.slot(key);
    deps.board.set(this.#slot, true);
    this.#dueMs = deps.clock.monotonicMs() + delayMs;
    this.#schedule = new CheckSchedule(this.#dueMs, target.check.intervalMs, deps.random);
    this.#timer = setTimeout(() => this.#onDue(), delayMs);
  }

  state(): EndpointHealth {
    return {
      key: this.#key,
      host: this.#target.host,
      address: this.#target.address,
      port: this.#target.port,
      path: this.#target.check.path,
      healthy: this.#healthy,
      checks: this.#checks,
      ...(this.#detail === undefined ? {} : { detail: this.#detail }),
      ...(this.#checkedAtMs === undefined ? {} : { checkedAtMs: this.#checkedAtMs }),
    };
  }

  /** Goes on with new settings; what is known of the endpoint stays. */
  retarget(target: CheckTarget): void {
    const { intervalMs } = target.check;
    const isNewInterval = intervalMs !== this.#target.check.intervalMs;
    this.#target = target;
    if (!isNewInterval) return;
    // A place of its own in the new interval, as if it had been checked in the one before.
    this.#schedule = new CheckSchedule(this.#deps.clock.monotonicMs() - this.#deps.random() * intervalMs, intervalMs, this.#deps.random);
    if (this.#isAsking) return;
    clearTimeout(this.#timer);
    this.#plan();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#closed.abort();
  }

  #onDue(): void {
    // Never twice in a row: a process that is always late would never check.
    const late = this.#deps.clock.monotonicMs() - this.#dueMs > LATE_MS && !this.#skipped && this.#checks > 0;
    this.#skipped = late;
    if (late) this.#plan();
    else void this.#check();
  }

  #plan(): void {
    const now = this.#deps.clock.monotonicMs();
    this.#dueMs = this.#schedule.nextMs(now);
    this.#timer = setTimeout(() => this.#onDue(), this.#dueMs - now);
  }

  async #check(): Promise<void> {
    const startedMs = this.#deps.clock.monotonicMs();
    const { address, port, host, check, how } = this.#target;
    let result: ProbeResult;
    this.#isAsking = true;
    try {
      result = await probe({ address, port, host, path: check.path, timeoutMs: check.timeoutMs, ...how }, this.#closed.signal);
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      // The request cannot be sent (its path, say): the endpoint cannot be asked, so it cannot be called healthy.
      result = { passed: false, detail: error instanceof Error ? error.message : String(error), answered: true };
    }
    if (this.#closed.signal.aborted) return;
    this.#isAsking = false;
    this.#plan();
    if (result.answered || !this.#loop.wasBlockedSince(startedMs)) this.#count(result);
  }

  #count({ passed, detail }: ProbeResult): void {
    const { healthyThreshold, unhealthyThreshold } = this.#target.check;
    const isFirst = this.#checks === 0;
    this.#checks++;
    this.#detail = detail;
    this.#checkedAtMs = this.#deps.clock.nowMs();
    this.#against = passed === this.#healthy ? 0 : this.#against + 1;
    if (this.#against === 0 || (!isFirst && this.#against < (passed ? healthyThreshold : unhealthyThreshold))) return;
    this.#against = 0;
    this.#healthy = passed;
    this.#deps.board.set(this.#slot, passed);
    this.#deps.onChange?.(this.state());
  }
}

function wantedTargets(clusters: readonly Cluster[], secure: (tls: UpstreamTls) => ConnectionOptions): Map<string, CheckTarget> {
  const wanted = new Map<string, CheckTarget>();
  for (const { host, healthCheck: check, endpoints, http2, tls, proxyProtocol } of clusters) {
    if (check === undefined) continue;
    const how = { isHttp2: http2?.use === 'always', tls: tls && secure(tls), proxyProtocol };
    for (const { address, port } of endpoints) {
      if (isIP(address) === 0) continue;
      const key = healthKey(address, port, check.path);
      if (!wanted.has(key)) wanted.set(key, { host, address, port, check, how });
    }
  }
  return wanted;
}
