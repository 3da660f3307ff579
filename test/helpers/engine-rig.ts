/** The rollout engine over a real state, overlay, compiler and counters, with time that moves when told; no sockets. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { silentLogger } from '../../src/app/logger.ts';
import type { InForce } from '../../src/app/pipeline.ts';
import { Rollouts } from '../../src/app/rollouts/engine.ts';
import { openState, type State, StateWriteError } from '../../src/app/state.ts';
import { ManualClock } from '../../src/base/clock.ts';
import { loadText, NO_FILES } from '../../src/config/load.ts';
import { applyOverlay, EMPTY_OVERLAY, type Overlay } from '../../src/config/overlay.ts';
import { EMPTY_SNAPSHOT, type Snapshot } from '../../src/config/snapshot.ts';
import { phaseOf } from '../../src/rollout/phase.ts';
import { compile } from '../../src/routing/compile.ts';
import { HealthBoard } from '../../src/telemetry/health-board.ts';
import { StatsRegistry, StatsWriter } from '../../src/telemetry/shared-stats.ts';

export const HOST = 'reviews.default.svc.cluster.local';
export const NAME = 'default/reviews';

/** What stands for the pipeline: the same overlay and compiler, no sockets. */
export class World {
  readonly stats = new StatsRegistry(1);
  readonly #writer = new StatsWriter(0, 1);
  readonly board = new HealthBoard();
  base: Snapshot = EMPTY_SNAPSHOT;
  overlay: Overlay = EMPTY_OVERLAY;
  changes = 0;
  refusal: Error | undefined;
  inForce: InForce = inForceOf(EMPTY_SNAPSHOT, EMPTY_OVERLAY);

  load(text: string): void {
    const { snapshot, diagnostics } = loadText('a.yaml', text);
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
    this.base = snapshot;
    this.inForce = inForceOf(this.base, this.overlay);
  }

  async changeOverlay(change: (now: InForce) => Overlay): Promise<{ before: InForce; after: InForce }> {
    await Promise.resolve();
    if (this.refusal !== undefined) throw this.refusal;
    const before = this.inForce;
    this.overlay = change(before);
    this.inForce = inForceOf(this.base, this.overlay);
    this.changes++;
    return { before, after: this.inForce };
  }

  /** Finished requests of an arm of default/reviews, as the data plane counts them. */
  serve(subset: string, count: number, isBad = false): void {
    const { rollout, epoch } = this.overlay.releases[HOST] ?? { rollout: NAME, epoch: 0 };
    const slot = this.stats.slot(`release|${rollout}|${epoch}|${subset}|${isBad ? 'bad' : 'good'}`);
    this.#writer.attach(this.stats.segments());
    for (let request = 0; request < count; request++) this.#writer.cluster(slot).record(isBad ? 500 : 200, 5);
  }

  get weights(): Readonly<Record<string, number>> | undefined {
    return this.overlay.releases[HOST]?.weights;
  }
}

/** What would be in force. */
export function inForceOf(base: Snapshot, overlay: Overlay): InForce {
  const { snapshot: effective, diagnostics } = applyOverlay(base, overlay);
  const { table } = compile(effective);
  const none = {
    files: NO_FILES,
    manifests: [],
    statuses: new Map(),
    conditionTimes: new Map(),
    bound: [],
    sinceMs: 0,
    fileDiagnostics: [],
  };
  return { ...none, base, overlay, effective, compiled: table, idle: new Map(), table, diagnostics };
}

export class EngineRig {
  readonly clock = new ManualClock(Date.parse('2026-01-02T03:04:05Z'));
  readonly world = new World();
  readonly state: State;
  isDiskFull = false;
  readonly #directory = mkdtempSync(join(tmpdir(), 'serin-engine-'));

  constructor() {
    this.state = openState(this.#directory, this.clock);
  }

  close(): void {
    this.state.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** As after a start of the process: what is on the disk, and nothing else. */
  async start(): Promise<Rollouts> {
    const { state, world, clock } = this;
    const fragile: State = {
      notices: state.notices,
      readOnly: undefined,
      get: (name) => state.get(name),
      put: (name, body, change) => state.put(name, body, change),
      putAll: (documents, changes) => {
        if (this.isDiskFull) throw new StateWriteError('E_STATE_FULL', 'no space left');
        state.putAll(documents, changes);
      },
      names: (prefix) => state.names(prefix),
      close: () => undefined,
    };
    const rollouts = new Rollouts({
      proxy: { stats: world.stats, health: world.board },
      health: { states: () => [] },
      processes: { states: () => [] },
      state: fragile,
      clock,
      logger: silentLogger(),
    });
    world.overlay = { ...EMPTY_OVERLAY, ...rollouts.initialOverlay };
    world.inForce = inForceOf(world.base, world.overlay);
    await rollouts.start(world);
    await rollouts.close();
    return rollouts;
  }

  async ticks(rollouts: Rollouts, seconds: number, each: () => void = () => undefined): Promise<void> {
    for (let tick = 0; tick < seconds * 4; tick++) {
      this.clock.advance(250);
      each();
      await rollouts.tick();
    }
  }

  /** `phase step weights`; the weights are those in force. */
  shown(rollouts: Rollouts, name = NAME): string {
    const found = rollouts.find(name);
    if (found === undefined) return 'none';
    return `${phaseOf(found.stored.state)} ${found.stored.state.active?.step ?? '-'} ${JSON.stringify(this.world.weights)}`;
  }
}
