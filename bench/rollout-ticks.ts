/**
 * `npm run bench:ticks`: what a tick of the rollout engine costs the main thread with many releases under way, each under analysis with traffic of
 * its own, the real state on disk: median, p99 and longest, and what the time goes to.
 *
 *     ... --releases N     1,000 unless told otherwise
 *     ... --ticks N        400: a hundred seconds of a running Serin
 *
 * Exits with 1 when p99 of the processor time of the thread is above the limit; the clock also counts what else the machine does.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openState, type State } from '../src/app/state.ts';
import type { InForce } from '../src/app/pipeline.ts';
import { Rollouts } from '../src/app/rollouts/engine.ts';
import { silentLogger } from '../src/app/logger.ts';
import { ManualClock } from '../src/base/clock.ts';
import { loadText, NO_FILES } from '../src/config/load.ts';
import { applyOverlay, EMPTY_OVERLAY, type Overlay } from '../src/config/overlay.ts';
import type { Snapshot } from '../src/config/snapshot.ts';
import { compile } from '../src/routing/compile.ts';
import { HealthBoard } from '../src/telemetry/health-board.ts';
import { StatsRegistry, StatsWriter } from '../src/telemetry/shared-stats.ts';
import { NONE_IDLE } from '../src/workload/idle-versions.ts';

const LIMIT_MS = 100;
const TICK_MS = 250;
/** Until every release is in its analysis and the code is compiled. */
const WARM_UP_TICKS = 40;

/** Ten requests a release and tick, one of them the canary's, each as long as the last but a little. */
class Traffic {
  readonly #stats: StatsRegistry;
  readonly #writer = new StatsWriter(0, 1);

  constructor(stats: StatsRegistry) {
    this.#stats = stats;
  }

  serve(rollouts: Rollouts, count: number, tick: number): void {
    for (let index = 0; index < count; index++) {
      const name = `default/s${index}`;
      const epoch = rollouts.find(name)?.stored.state.epoch ?? 0;
      for (const [subset, requests] of [
        ['v1', 9],
        ['v2', 1],
      ] as const) {
        const slot = this.#stats.slot(`release|${name}|${epoch}|${subset}|good`);
        this.#writer.attach(this.#stats.segments());
        for (let request = 0; request < requests; request++) this.#writer.cluster(slot).record(200, 4 + ((tick + request + index) % 7));
      }
    }
  }
}

const { values: flags } = parseArgs({
  options: { releases: { type: 'string', default: '1000' }, ticks: { type: 'string', default: '400' } },
});
const releases = Number(flags.releases);
const ticks = Number(flags.ticks);

const directory = mkdtempSync(join(tmpdir(), 'serin-ticks-'));
try {
  const clock = new ManualClock(Date.parse('2026-01-02T03:04:05Z'));
  const state = openState(directory, clock);
  const timed = timedState(state);
  const stats = new StatsRegistry(1);
  const pipeline = memoryPipeline(snapshotOf(releases));
  const rollouts = new Rollouts({
    proxy: { stats, health: new HealthBoard() },
    health: { states: () => [] },
    processes: { states: () => [] },
    state: timed.state,
    clock,
    logger: silentLogger(),
  });
  await rollouts.start(pipeline);
  await rollouts.close();
  const traffic = new Traffic(stats);
  const costs: number[] = [];
  const cpu: number[] = [];
  const writes: number[] = [];
  for (let tick = -WARM_UP_TICKS; tick < ticks; tick++) {
    traffic.serve(rollouts, releases, tick);
    clock.advance(TICK_MS);
    timed.spentMs = 0;
    const cpuBefore = process.threadCpuUsage();
    const beganAt = performance.now();
    await rollouts.tick();
    if (tick < 0) continue;
    costs.push(performance.now() - beganAt);
    const { user, system } = process.threadCpuUsage(cpuBefore);
    cpu.push((user + system) / 1000);
    writes.push(timed.spentMs);
  }
  const running = rollouts.list().filter(({ stored }) => stored.state.active !== undefined).length;
  state.close();
  if (running !== releases) throw new Error(`expected ${releases} releases under way, found ${running}`);
  console.log(`${releases} releases, ${ticks} ticks`);
  console.log(`a tick                ${summary(costs)}`);
  console.log(`of it on a processor ${summary(cpu)}`);
  console.log(`of it SQLite          ${summary(writes)}`);
  process.exitCode = quantile(cpu, 0.99) <= LIMIT_MS ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function snapshotOf(count: number): Snapshot {
  const services = Array.from(
    { length: count },
    (_, index) =>
      `  s${index}: { versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }, routes: [{ to: v1 }], rollout: { stable: v1, canary: v2, steps: [{ setWeight: 10 }, { analysis: { atLeast: 1h } }, { setWeight: 100 }] } }`,
  );
  return loadText('services.yaml', `services:\n${services.join('\n')}\n`).snapshot;
}

const NOTHING = { files: NO_FILES, manifests: [], statuses: new Map(), conditionTimes: new Map(), sinceMs: 0 };

/** What stands for the pipeline: the same overlay and compiler, no sockets. */
function memoryPipeline(base: Snapshot): Parameters<Rollouts['start']>[0] {
  const inForceOf = (overlay: Overlay): InForce => {
    const { snapshot: effective, diagnostics } = applyOverlay(base, overlay);
    const { table } = compile(effective);
    return { ...NOTHING, base, overlay, effective, compiled: table, table, bound: [], fileDiagnostics: [], diagnostics, idle: NONE_IDLE };
  };
  let inForce = inForceOf(EMPTY_OVERLAY);
  return {
    get inForce() {
      return inForce;
    },
    changeOverlay: async (change) => {
      await Promise.resolve();
      const before = inForce;
      inForce = inForceOf(change(before));
      return { before, after: inForce };
    },
  };
}

/** Adds up what writing costs. */
function timedState(state: State): { readonly state: State; spentMs: number } {
  const timed = {
    spentMs: 0,
    state: {
      notices: state.notices,
      readOnly: state.readOnly,
      get: (name) => state.get(name),
      names: (prefix) => state.names(prefix),
      put: (name, body, change) => state.put(name, body, change),
      putAll: (documents, changes) => {
        const beganAt = performance.now();
        state.putAll(documents, changes);
        timed.spentMs += performance.now() - beganAt;
      },
      close: () => state.close(),
    } satisfies State,
  };
  return timed;
}

function summary(values: readonly number[]): string {
  const at = (share: number): string => `${quantile(values, share).toFixed(1)} ms`;
  return `median ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)}`;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}
