/**
 * What all connections of one data plane share: settings, clocks, timeouts, counters and read buffers. One thread, one context.
 */
import type { Random } from '../base/random.ts';
import type { HealthView } from '../telemetry/health-board.ts';
import type { ClusterCounters } from '../telemetry/cluster-counters.ts';
import type { WorkerCounters } from '../telemetry/worker-counters.ts';
import { RequestHead } from '../http/request-head.ts';
import { ResponseHead } from '../http/response-head.ts';
import type { AccessLog } from './access-log.ts';
import { MirrorLimits } from './mirror-limits.ts';
import { RequestIds } from './request-id.ts';
import { DeadlineWheel } from './deadline-wheel.ts';
import type { DataPlaneSettings } from './options.ts';
import type { Tracer } from './tracer.ts';

/** One read of an upstream socket. Twice 64 KiB per direction stays within the 256 KiB of reliability P69. */
export const READ_BYTES = 65_536;
const SPARE_BUFFERS = 32;

export interface AfterTurn {
  onTurn(): void;
}

export class DataPlaneContext {
  readonly settings: DataPlaneSettings;
  readonly wheel: DeadlineWheel;
  readonly random: Random;
  readonly health: HealthView;
  readonly counters: WorkerCounters;
  /** Requests that reached no cluster: no route, redirects, direct responses. */
  readonly unrouted: ClusterCounters;
  readonly onInternalError: (error: unknown) => void;
  /** Undefined: no request is logged. */
  readonly accessLog: AccessLog | undefined;
  /** Undefined: traces are passed on and not followed. */
  readonly tracer: Tracer | undefined;
  isDraining = false;
  /** Bytes of request bodies held for a retry. */
  keptBytes = 0;
  /** Downstream connections open now. */
  connections = 0;

  /**
   * The buffer every upstream socket reads into as long as its messages are small. It is overwritten by the next read of any socket: whoever
   * keeps bytes of it copies them before returning.
   */
  readonly sharedBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

  /** Heads that arrive in one piece are scanned in these, one after the other; nothing refers to them across two events. */
  readonly requestHead = new RequestHead();
  readonly responseHead = new ResponseHead();

  /** Where heads of HTTP/2 requests are written for the scanner: a request line and a header section of the longest kind, and more. */
  readonly http2Text = Buffer.allocUnsafeSlow(READ_BYTES);

  readonly requestIds = new RequestIds();

  readonly mirrors = new MirrorLimits();

  readonly #spareBuffers: Buffer[] = [];
  #waiting: AfterTurn[] = [];
  #dateSecond = 0;
  #date = '';
  readonly #monotonicMs: () => number;
  readonly #wallMs: () => number;

  constructor(parts: {
    readonly settings: DataPlaneSettings;
    readonly random: Random;
    readonly health: HealthView;
    readonly counters: WorkerCounters;
    readonly unrouted: ClusterCounters;
    readonly clock: { monotonicMs(): number; nowMs(): number };
    readonly onInternalError: (error: unknown) => void;
    readonly accessLog?: AccessLog | undefined;
    readonly tracer?: Tracer | undefined;
  }) {
    this.settings = parts.settings;
    this.random = parts.random;
    this.health = parts.health;
    this.counters = parts.counters;
    this.unrouted = parts.unrouted;
    this.onInternalError = parts.onInternalError;
    this.accessLog = parts.accessLog;
    this.tracer = parts.tracer;
    this.#monotonicMs = () => parts.clock.monotonicMs();
    this.#wallMs = () => parts.clock.nowMs();
    this.wheel = new DeadlineWheel(this.#monotonicMs);
  }

  /** Monotonic, ms. */
  now(): number {
    return this.#monotonicMs();
  }

  wallMs(): number {
    return this.#wallMs();
  }

  /** IMF-fixdate of now (RFC 9110 §5.6.7), made once a second. */
  date(): string {
    const second = Math.floor(this.#wallMs() / 1000);
    if (second !== this.#dateSecond) {
      this.#dateSecond = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }

  /** A buffer of one's own, for a long body. */
  takeBuffer(): Buffer {
    return this.#spareBuffers.pop() ?? Buffer.allocUnsafeSlow(READ_BYTES);
  }

  /** Gives back a buffer nothing refers to any more. */
  giveBuffer(buffer: Buffer): void {
    if (this.#spareBuffers.length < SPARE_BUFFERS) this.#spareBuffers.push(buffer);
  }

  /**
   * Calls `onTurn` after everything has been read that had arrived when this turn of the event loop began: a connection taken from the pool
   * is used only after that, so bytes that were already there are seen to be no answer (reliability P56).
   */
  afterTurn(waiting: AfterTurn): void {
    if (this.#waiting.push(waiting) === 1) setImmediate(this.#runTurn);
  }

  readonly #runTurn = (): void => {
    const ready = this.#waiting;
    this.#waiting = [];
    for (const waiting of ready) waiting.onTurn();
  };
}
