/**
 * One copy of a request on its way to a mirror. Its answer is read, so that the connection can be used again, and dropped.
 *
 * It holds what the mirror has not taken yet up to a bound (`MirrorLimits`) and then gives up: nobody waits for it. It ends by its answer, by a
 * loss, or by its time, and is counted then: 0 as the status where no answer came, with the reason as a flag.
 */
import { BodyReader } from '../http/body-reader.ts';
import { Scan } from '../http/head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { ResponseFlag } from '../telemetry/response-flag.ts';
import type { EndpointRuntime } from './cluster-runtime.ts';
import type { DataPlaneContext } from './context.ts';
import { Deadline } from './deadline-wheel.ts';
import type { MirrorTarget } from './mirror.ts';
import { MAX_BEHIND_BYTES } from './mirror-limits.ts';
import { MAX_INTERIM_RESPONSES, responseFraming, restMs } from './upstream-rules.ts';
import { ResponseScanner } from './response-scanner.ts';
import { newLink, pooledLink } from './upstream-link.ts';
import type { UpstreamLink, UpstreamLoss, UpstreamUser } from './upstream-link.ts';

/** What is copied. */
export interface Copied {
  readonly method: string;
  /** The head as it goes to the mirror. */
  readonly text: string;
  /** Of the whole copy from the end of the request, ms. */
  readonly timeoutMs: number;
  /** The client speaks HTTP/2. */
  readonly isHttp2: boolean;
}

export class MirrorCopy implements UpstreamUser {
  readonly #context: DataPlaneContext;
  readonly #target: MirrorTarget;
  readonly #copied: Copied;
  readonly #startedAt: number;
  readonly #deadline = new Deadline(() => this.#finish('UT'));
  readonly #scanner: ResponseScanner;
  readonly #body = new BodyReader('response');
  readonly #queue: (string | Buffer)[] = [];
  #endpoint: EndpointRuntime | undefined;
  #upstream: UpstreamLink | undefined;
  #isOver = false;
  #isSent = false;
  /** The whole request is here. */
  #isComplete = false;
  #isSecondTry = false;
  #queuedBytes = 0;
  /** As told to `MirrorLimits`. */
  #heldBytes = 0;
  #interim = 0;
  /** 0 until the head of the answer is there. */
  #status = 0;
  #restMs = 0;

  constructor(context: DataPlaneContext, target: MirrorTarget, copied: Copied) {
    this.#context = context;
    this.#target = target;
    this.#copied = copied;
    this.#startedAt = context.now();
    this.#scanner = new ResponseScanner(context);
  }

  /** False where it is dropped at once, which has been counted. */
  start(): boolean {
    const { counters, cluster } = this.#target;
    counters.activeAdd(1);
    if (this.#context.mirrors.isFull) this.#finish('UO');
    else this.#context.mirrors.begin(this);
    if (this.#isOver) return false;
    if (cluster.cluster.missing !== undefined) this.#finish('NC');
    else this.#connect();
    return !this.#isOver;
  }

  #connect(): void {
    const endpoint = this.#target.cluster.pick(this.#endpoint);
    if (endpoint === undefined) {
      this.#finish('UH');
      return;
    }
    if (this.#endpoint !== undefined) this.#endpoint.active--;
    this.#endpoint = endpoint;
    endpoint.active++;
    const sending = {
      method: this.#copied.method,
      isHttp2: this.#copied.isHttp2,
      isUpgrade: false,
      client: undefined,
      wantsNew: this.#isSecondTry,
    };
    const { cluster } = this.#target.cluster;
    this.#upstream = pooledLink(this.#context, cluster, endpoint, this, sending);
    if (this.#upstream !== undefined) return;
    // A copy does not wait for what requests wait for.
    if (endpoint.breaker?.acquire('connections') === false) this.#finish('UO');
    else this.#upstream = newLink(this.#context, cluster, endpoint, this, sending);
  }

  /** @param piece  Text, or bytes that stay as they are. */
  write(piece: string | Buffer): void {
    if (this.#isOver) return;
    if (this.#isSent) {
      this.#upstream?.write(piece);
    } else {
      this.#queue.push(piece);
      this.#queuedBytes += piece.length;
    }
    this.#watchBehind();
  }

  /** The request is complete: the mirror's time runs. */
  end(): void {
    if (this.#isOver || this.#isComplete) return;
    this.#isComplete = true;
    this.#context.wheel.set(this.#deadline, this.#context.now() + this.#copied.timeoutMs);
  }

  /** The request will not be completed. */
  cutOff(): void {
    if (!this.#isComplete) this.#finish('LR');
  }

  /** Without counting: the data plane goes down. */
  close(): void {
    this.#upstream?.close();
    this.#context.wheel.remove(this.#deadline);
  }

  onUpstreamReady(): void {
    const upstream = this.#upstream;
    if (upstream === undefined) return;
    this.#isSent = true;
    upstream.cork();
    upstream.write(this.#copied.text);
    for (const piece of this.#queue) upstream.write(piece);
    upstream.uncork();
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#watchBehind();
  }

  onUpstreamDrain(): void {
    this.#watchBehind();
  }

  #watchBehind(): void {
    const behind = this.#queuedBytes + (this.#upstream?.pendingBytes ?? 0);
    this.#context.mirrors.hold(behind, this.#heldBytes);
    this.#heldBytes = behind;
    if (behind > MAX_BEHIND_BYTES || this.#context.mirrors.isOverBytes) this.#finish('UO');
  }

  onUpstreamLost(loss: UpstreamLoss): void {
    this.#upstream = undefined;
    // Nothing was written: the pool's connection had been closed meanwhile.
    if (loss === 'unused' && !this.#isSecondTry) {
      this.#isSecondTry = true;
      this.#guarded(() => this.#connect());
      return;
    }
    if (loss === 'ended' && this.#status !== 0 && this.#body.framing === 'untilClose') this.#finish(undefined);
    else this.#finish(loss === 'ended' || loss === 'reset' ? 'UC' : 'UF');
  }

  onUpstreamBytes(bytes: Buffer, end: number): void {
    this.#guarded(() => this.#receive(bytes, end));
  }

  #receive(bytes: Buffer, end: number): void {
    let at = 0;
    while (this.#status === 0) {
      if (at === end) return;
      const scan = this.#scanner.scan(bytes, at, end);
      if (scan === Scan.more) return;
      const { head } = this.#scanner;
      at = this.#scanner.next;
      const isInterim = scan === Scan.done && head.status < 200;
      if (scan === Scan.refused || head.status === 101 || (isInterim && ++this.#interim > MAX_INTERIM_RESPONSES)) {
        this.#finish('UPE');
        return;
      }
      if (!isInterim) this.#begin(head);
    }
    const body = this.#body;
    while (at < end && !body.isDone) at = body.take(bytes, at, end);
    if (body.error !== undefined) this.#finish('UPE');
    else if (body.isDone) this.#answered(at === end);
  }

  #begin(head: ResponseHead): void {
    this.#status = head.status;
    const framing = responseFraming(this.#copied.method, head);
    this.#body.begin(framing, head.contentLength);
    this.#restMs = head.closes || framing === 'untilClose' ? 0 : restMs(this.#target.cluster.cluster, head);
  }

  #answered(isExact: boolean): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    if (upstream !== undefined) {
      const isWornOut = upstream.isWornOut(this.#target.cluster.cluster);
      const isReusable = isExact && this.#isComplete && !upstream.hasPendingWrites && !isWornOut;
      upstream.release(isReusable ? this.#restMs : 0);
    }
    this.#finish(undefined);
  }

  #finish(flag: ResponseFlag | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#upstream?.close();
    this.#upstream = undefined;
    this.#queue.length = 0;
    const { mirrors, wheel } = this.#context;
    wheel.remove(this.#deadline);
    mirrors.hold(0, this.#heldBytes);
    mirrors.end(this);
    if (this.#endpoint !== undefined) this.#endpoint.active--;
    this.#endpoint = undefined;
    const { counters } = this.#target;
    counters.activeAdd(-1);
    const status = flag === undefined ? this.#status : 0;
    counters.record(status, this.#context.now() - this.#startedAt);
    if (flag !== undefined) counters.flag(flag, status);
  }

  /** A mistake of ours here must not reach the request. */
  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#context.onInternalError(error);
      this.#finish('LR');
    }
  }
}
