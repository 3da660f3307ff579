/**
 * How the evidence of each release has grown, for people who look at its run: points in memory and in the durable state.
 *
 * 1. At most `MAX_POINTS` of a run, and at most its part of `MAX_BYTES` for all releases: when they are too many every second one goes, and from then on only every
 *    second one that is offered is kept. So they lie evenly, whatever the length of the run.
 * 2. A point costs a verdict, and writing the few before it (the tail), and once in a while all of them (the base).
 */
import type { State } from '../state.ts';

const MAX_POINTS = 600;
const MAX_BYTES = 8 * 1024 * 1024;
/** Of a release, however many there are. */
const LEAST_BYTES = 16 * 1024;
/** Points in the tail before it is joined to the base. */
const TAIL_POINTS = 24;

/** So many releases get a point at every opportunity; twice as many at every second one, since each has half the room. */
const UNHURRIED = 100;

const BASE_PREFIX = 'rollout-points/';
const TAIL_PREFIX = 'rollout-points-tail/';

/** The points of one run. */
class RunHistory {
  readonly run: number;
  #points: string[] = [];
  #bytes = 0;
  /** Of so many that are offered one is kept. */
  #stride = 1;
  #offered = 0;
  /** How many of the points are in the base. */
  #based = 0;
  isBaseWritten = true;
  isTailWritten = true;

  constructor(run: number) {
    this.run = run;
  }

  static load(state: Pick<State, 'get'>, name: string, run: number): RunHistory {
    const history = new RunHistory(run);
    const [head = '', ...base] = (state.get(BASE_PREFIX + name) ?? '').split('\n');
    const [tailHead, ...tail] = (state.get(TAIL_PREFIX + name) ?? '').split('\n');
    const [baseRun, stride] = head.split(' ').map(Number);
    const hasBase = baseRun === run;
    if (hasBase) history.#restore(base, stride ?? 1);
    history.#based = history.#points.length;
    if (tailHead === `${run} ${history.#based}`) history.#restore(tail, history.#stride);
    return history;
  }

  get points(): readonly string[] {
    return this.#points;
  }

  /** Nothing was offered yet. */
  get isFresh(): boolean {
    return this.#offered === 0 && this.#points.length === 0;
  }

  /** @param stride Of so many that are offered one is to be kept. */
  begin(stride: number): void {
    this.#stride = stride;
  }

  /** Whether the next one that is offered is kept. */
  get isWanted(): boolean {
    return this.#offered % this.#stride === 0;
  }

  /** @param isOffered False for one that is kept whenever it comes. */
  add(point: string | undefined, isOffered: boolean, maxBytes: number): void {
    if (isOffered) this.#offered++;
    if (point === undefined) return;
    this.#points.push(point);
    this.#bytes += point.length;
    this.isTailWritten = false;
    if (this.#points.length > MAX_POINTS || this.#bytes > maxBytes) {
      this.#points = this.#points.filter((_, index) => index % 2 === 0);
      this.#bytes = this.#points.reduce((sum, { length }) => sum + length, 0);
      this.#stride *= 2;
      this.#join();
    } else if (this.#points.length - this.#based > TAIL_POINTS) this.#join();
  }

  base(): string {
    return [`${this.run} ${this.#stride}`, ...this.#points.slice(0, this.#based)].join('\n');
  }

  tail(): string {
    return [`${this.run} ${this.#based}`, ...this.#points.slice(this.#based)].join('\n');
  }

  #join(): void {
    this.#based = this.#points.length;
    this.isBaseWritten = false;
  }

  #restore(points: readonly string[], stride: number): void {
    this.#points.push(...points);
    this.#bytes = this.#points.reduce((sum, { length }) => sum + length, 0);
    this.#stride = Math.max(1, stride);
  }
}

export class EvidenceHistories {
  readonly #state: Pick<State, 'get'>;
  readonly #runs = new Map<string, RunHistory>();

  constructor(state: Pick<State, 'get'>) {
    this.#state = state;
  }

  /** Texts of the points of a run, oldest first. */
  points(name: string, run: number): readonly string[] {
    return this.#of(name, run).points;
  }

  /**
   * Called once in every interval of a run.
   *
   * @param point Made only where it is kept; undefined: there is nothing to compare yet.
   * @param releases How many there are, which share what may be kept.
   */
  offer(name: string, run: number, point: () => string | undefined, releases: number): void {
    const history = this.#of(name, run);
    if (history.isFresh) history.begin(Math.max(1, Math.round(releases / UNHURRIED)));
    history.add(history.isWanted ? point() : undefined, true, allowed(releases));
  }

  /** One that is kept whatever the interval: something was decided by it. */
  note(name: string, run: number, point: string | undefined, releases: number): void {
    this.#of(name, run).add(point, false, allowed(releases));
  }

  /** Documents of the durable state that are not as they should be; `written` says that they are. */
  unwritten(): ReadonlyMap<string, string> {
    const documents = new Map<string, string>();
    for (const [name, history] of this.#runs) {
      if (!history.isBaseWritten) documents.set(BASE_PREFIX + name, history.base());
      if (!history.isTailWritten) documents.set(TAIL_PREFIX + name, history.tail());
    }
    return documents;
  }

  written(): void {
    for (const history of this.#runs.values()) {
      history.isBaseWritten = true;
      history.isTailWritten = true;
    }
  }

  #of(name: string, run: number): RunHistory {
    const known = this.#runs.get(name);
    if (known?.run === run) return known;
    const loaded = RunHistory.load(this.#state, name, run);
    this.#runs.set(name, loaded);
    return loaded;
  }
}

function allowed(releases: number): number {
  return Math.max(LEAST_BYTES, MAX_BYTES / Math.max(1, releases));
}
