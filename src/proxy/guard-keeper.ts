/**
 * Looks ten times a second whether a canary is proved broken by what all workers have counted, and cuts it off: the control plane lays the bets
 * (rollout/guard.ts) and may then be busy for as long as it likes.
 *
 * Every worker looks, so that one that is busy itself leaves none of the others' canaries unwatched. Evidence grows by what canaries do, and a little
 * by what stable does; so a release whose canary got no new request costs a few reads, and only every fifth look takes stable's in. A fifth of the
 * releases are looked at at a time, so that a thousand of them hold nobody up.
 */
import { GUARD_CELLS } from '../rollout/guard.ts';
import { GUARD_BLOCKS, GuardBlock, type GuardOrder, orderEvidence, type Proof } from '../rollout/guard-block.ts';
import { SlotsView } from '../telemetry/growth-reader.ts';
import type { HealthView } from '../telemetry/health-board.ts';
import type { StatsWriter } from '../telemetry/shared-stats.ts';

const LOOK_MS = 100;
/** Parts of the releases, one after the other. */
const PARTS = 5;
/** Without news of the canary, every so many looks. */
const PATIENCE = 5;

interface Watch {
  readonly block: GuardBlock;
  turn: number;
  order: GuardOrder | undefined;
  places: number;
  /** Of the canary, in every stratum; undefined while this worker does not have the memory yet that is counted in. */
  canary: readonly SlotsView[] | undefined;
  /** The canary's requests at the last whole look. */
  seen: number;
  patience: number;
}

export interface FoundProof extends Proof {
  /** Name of the guard's block, and the run it is of. */
  readonly guard: string;
  readonly run: number;
}

export interface GuardKeeperParts {
  readonly stats: Pick<StatsWriter, 'slots'>;
  readonly health: HealthView;
  readonly wallMs: () => number;
  /** The canary has been cut off by this worker. */
  readonly onProof: (found: FoundProof) => void;
}

export class GuardKeeper {
  readonly #parts: GuardKeeperParts;
  #watches = new Map<string, Watch>();
  #views = new Map<number, SlotsView>();
  #timer: NodeJS.Timeout | undefined;
  #part = 0;

  constructor(parts: GuardKeeperParts) {
    this.#parts = parts;
  }

  /** @param blocks All of shared memory; those of guards are watched from now on, and no others. */
  attach(blocks: ReadonlyMap<string, SharedArrayBuffer>): void {
    const watches = new Map<string, Watch>();
    for (const [name, buffer] of blocks) {
      if (!name.startsWith(GUARD_BLOCKS)) continue;
      const block = new GuardBlock(buffer);
      watches.set(name, { block, turn: 0, order: undefined, places: -1, canary: undefined, seen: -1, patience: 0 });
    }
    this.#watches = watches;
    this.#views = new Map();
    if (watches.size === 0) this.close();
    else this.#timer ??= setInterval(() => this.#lookAtPart(), LOOK_MS / PARTS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Looks at every guard once. */
  look(): void {
    for (const [name, watch] of this.#watches) this.#lookAt(name, watch);
  }

  #lookAtPart(): void {
    this.#part = (this.#part + 1) % PARTS;
    let index = 0;
    for (const [name, watch] of this.#watches) if (index++ % PARTS === this.#part) this.#lookAt(name, watch);
  }

  #lookAt(name: string, watch: Watch): void {
    const { block } = watch;
    const { turn } = block;
    if (turn === undefined) return;
    if (block.places === watch.places && watch.canary !== undefined) {
      const requests = requestsOf(watch.canary);
      if (requests === watch.seen && ++watch.patience < PATIENCE) return;
    }
    if (turn !== watch.turn || watch.canary === undefined) {
      const { places } = block;
      const order = block.read();
      // Half old, half new: the next look is not far.
      if (!block.isStill(turn)) return;
      watch.turn = turn;
      watch.order = order;
      if (places !== watch.places || watch.canary === undefined) {
        watch.places = places;
        watch.canary = this.#canaryViews(order);
      }
    }
    const { order, canary } = watch;
    if (order === undefined || canary === undefined) return;
    watch.patience = 0;
    watch.seen = requestsOf(canary);
    const counted: Float64Array[] = [];
    for (const { failureSlots, latencySlots } of order.strata) {
      const cells = this.#counted(order, failureSlots, latencySlots);
      if (cells === undefined) return;
      counted.push(cells);
    }
    const evidence = orderEvidence(order, counted);
    if (evidence < order.guard.threshold || !block.isStill(turn)) return;
    for (const { killSlot } of order.strata) if (killSlot >= 0) this.#parts.health.setUnhealthy(killSlot);
    const proof = { evidence, atMs: this.#parts.wallMs() };
    if (block.prove(proof.evidence, proof.atMs)) this.#parts.onProof({ guard: name, run: order.run, ...proof });
  }

  #canaryViews({ strata }: GuardOrder): readonly SlotsView[] | undefined {
    const views: SlotsView[] = [];
    for (const { failureSlots, latencySlots } of strata) {
      for (const slot of new Set([...failureSlots.slice(0, 2), ...latencySlots.slice(0, 1)])) {
        if (slot < 0) continue;
        const view = this.#view(slot);
        if (view === undefined) return undefined;
        views.push(view);
      }
    }
    return views;
  }

  /** Undefined while this worker does not have the memory yet that is counted in. */
  #counted({ guard }: GuardOrder, failureSlots: readonly number[], latencySlots: readonly number[]): Float64Array | undefined {
    const cells = new Float64Array(GUARD_CELLS);
    for (const [cell, slot] of failureSlots.entries()) {
      if (slot < 0) continue;
      const view = this.#view(slot);
      if (view === undefined) return undefined;
      // The good ones' slots are those with the latencies, as a rule: one pass for both.
      const arm = latencySlots.indexOf(slot);
      view.look(arm === -1 ? NO_BUCKETS : bucketsOf(guard, arm));
      cells[cell] = view.total;
    }
    for (const [arm, slot] of latencySlots.entries()) {
      if (slot < 0) continue;
      const view = this.#view(slot);
      if (view === undefined) return undefined;
      const buckets = bucketsOf(guard, arm);
      view.look(buckets);
      for (let i = 0; i < buckets.length; i++) {
        const at = 4 * (1 + i) + 2 * arm;
        cells[at] = view.above(i);
        cells[at + 1] = view.total - view.above(i);
      }
    }
    return cells;
  }

  #view(slot: number): SlotsView | undefined {
    const known = this.#views.get(slot);
    if (known !== undefined) return known;
    const slots = this.#parts.stats.slots(slot);
    if (slots === undefined) return undefined;
    const made = new SlotsView(slots);
    this.#views.set(slot, made);
    return made;
  }
}

function requestsOf(views: readonly SlotsView[]): number {
  let requests = 0;
  for (const view of views) requests += view.requests;
  return requests;
}

const NO_BUCKETS: readonly number[] = [];

/** @param arm 0: the canary, 1: stable. */
function bucketsOf(guard: GuardOrder['guard'], arm: number): readonly number[] {
  return arm === 0 ? guard.canaryBuckets : guard.stableBuckets;
}
