/**
 * A worker's part of the access log: lines are put together in memory and handed over in large pieces, never one by one.
 *
 * What has been handed over and is not yet taken is bounded; beyond it lines are left out and counted. Nothing here waits for anybody.
 */
import type { Random } from '../base/random.ts';
import { accessLine } from '../telemetry/access-record.ts';
import type { AccessRecord } from '../telemetry/access-record.ts';
import type { WorkerCounters } from '../telemetry/worker-counters.ts';

/** Which requests are logged: failures alone, or a share (0 to 1) of all of them. */
export type AccessLogSetting = { readonly kind: 'errors' } | { readonly kind: 'share'; readonly share: number };

/** Lines on their way to where they are kept. */
export interface AccessLines {
  readonly text: string;
  readonly count: number;
}

const PIECE_CHARS = 64 * 1024;
const MAX_WAITING_CHARS = 4 * 1024 * 1024;
const FLUSH_MS = 200;

export class AccessLog {
  readonly #setting: AccessLogSetting;
  readonly #random: Random;
  readonly #counters: WorkerCounters;
  readonly #hand: (lines: AccessLines) => void;
  #text = '';
  #count = 0;
  /** Handed over, and not yet taken. */
  #waitingChars = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param hand  Takes lines; says so by `taken` when it has. */
  constructor(setting: AccessLogSetting, random: Random, counters: WorkerCounters, hand: (lines: AccessLines) => void) {
    this.#setting = setting;
    this.#random = random;
    this.#counters = counters;
    this.#hand = hand;
  }

  /** Draws, at the beginning of a request: false where whatever becomes of it is not logged. */
  draws(): boolean {
    const setting = this.#setting;
    return setting.kind === 'errors' || setting.share >= 1 || this.#random() < setting.share;
  }

  /** Of a request that `draws`: whether it is logged now that it has ended. @param isFailure  A 5xx, a response flag, or a fallback. */
  wants(isFailure: boolean): boolean {
    return isFailure || this.#setting.kind === 'share';
  }

  write(record: AccessRecord): void {
    if (this.#waitingChars + this.#text.length > MAX_WAITING_CHARS) {
      this.#counters.add('accessLogDroppedTotal', 1);
      return;
    }
    this.#text += accessLine(record);
    this.#count++;
    if (this.#text.length >= PIECE_CHARS) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#count === 0) return;
    const lines = { text: this.#text, count: this.#count };
    this.#text = '';
    this.#count = 0;
    this.#waitingChars += lines.text.length;
    this.#hand(lines);
  }

  /** @param dropped  Lines of it that could not be kept. */
  taken(chars: number, dropped: number): void {
    this.#waitingChars -= chars;
    if (dropped > 0) this.#counters.add('accessLogDroppedTotal', dropped);
  }
}
