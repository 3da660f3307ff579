/**
 * A worker's part of tracing: draws which traces are followed, names spans, and hands finished ones over in pieces. What is on its way is bounded; beyond it
 * spans are left out and counted. Nothing here waits for anybody.
 */
import { randomFillSync } from 'node:crypto';
import type { Random } from '../base/random.ts';
import type { SpanRecord } from '../telemetry/span-record.ts';
import type { WorkerCounters } from '../telemetry/worker-counters.ts';

export interface TraceSetting {
  /** Of the traces that begin here, 0 to 1. Those that have begun elsewhere are followed as was decided there. */
  readonly share: number;
}

const PIECE = 256;
const MAX_WAITING = 4096;
const FLUSH_MS = 500;
const POOL_BYTES = 4096;
const TRACE_BYTES = 16;
const SPAN_BYTES = 8;

export class Tracer {
  readonly #setting: TraceSetting;
  readonly #random: Random;
  readonly #counters: WorkerCounters;
  readonly #hand: (spans: readonly SpanRecord[]) => void;
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #used = POOL_BYTES;
  #spans: SpanRecord[] = [];
  /** Handed over, and not yet taken. */
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param hand  Takes spans; says so by `taken` when it has. */
  constructor(setting: TraceSetting, random: Random, counters: WorkerCounters, hand: (spans: readonly SpanRecord[]) => void) {
    this.#setting = setting;
    this.#random = random;
    this.#counters = counters;
    this.#hand = hand;
  }

  /** For a trace that begins here. */
  draws(): boolean {
    return this.#random() < this.#setting.share;
  }

  newTraceId(): string {
    return this.#hex(TRACE_BYTES);
  }

  newSpanId(): string {
    return this.#hex(SPAN_BYTES);
  }

  record(span: SpanRecord): void {
    if (this.#waiting + this.#spans.length >= MAX_WAITING) {
      this.#counters.add('spansDroppedTotal', 1);
      return;
    }
    this.#spans.push(span);
    if (this.#spans.length >= PIECE) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const spans = this.#spans;
    if (spans.length === 0) return;
    this.#spans = [];
    this.#waiting += spans.length;
    this.#hand(spans);
  }

  taken(count: number): void {
    this.#waiting -= count;
  }

  #hex(bytes: number): string {
    if (this.#used + bytes > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += bytes;
    return this.#pool.toString('hex', from, from + bytes);
  }
}
