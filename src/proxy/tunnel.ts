/**
 * Bytes between a client's connection and an upstream's, unchanged, in both directions: what follows a 101, and what is not HTTP at all.
 *
 * - Back-pressure: while one side has not taken what was written to it, the other is not read.
 * - The end of one direction is passed on behind its last byte, and the other direction goes on; a reset is passed on as a reset.
 * - Without a byte in either direction for `idleMs` both are closed.
 *
 * Memory: a side that is at rest holds no buffer (read-buffers.ts).
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { DataPlaneContext } from './context.ts';
import { Deadline } from './deadline-wheel.ts';
import type { Reads } from './read-buffers.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamLoss, UpstreamUser } from './upstream-link.ts';

/** Reads shorter than this are no bulk: what follows does not need a buffer of its own. */
const BULK_BYTES = 16_384;

/** Who hears of bytes while they pass: `received` from the client, `sent` to it. */
export interface TunnelCounters {
  received(bytes: number): void;
  sent(bytes: number): void;
}

export interface TunnelParts {
  readonly client: Socket;
  readonly clientReads: Reads;
  readonly upstream: UpstreamConnection;
  /** 0: it may rest for ever. */
  readonly idleMs: number;
  readonly counters?: TunnelCounters;
  /** Once, when nothing passes any more. */
  readonly onDone: () => void;
}

export class Tunnel implements UpstreamUser {
  readonly #context: DataPlaneContext;
  readonly #parts: TunnelParts;
  readonly #deadline: Deadline;
  #movedAt: number;
  /** Whose FIN has come. */
  #hasClientEnded = false;
  #hasUpstreamEnded = false;
  #isClientClosed = false;
  #isUpstreamClosed = false;
  #isDone = false;

  /** Takes `upstream` over. The client's events are handed in by whoever owns its socket. */
  constructor(context: DataPlaneContext, parts: TunnelParts) {
    this.#context = context;
    this.#parts = parts;
    this.#movedAt = context.now();
    this.#deadline = new Deadline(() => this.#onDeadline());
    if (parts.idleMs > 0) context.wheel.set(this.#deadline, this.#movedAt + parts.idleMs);
    parts.upstream.becomeTunnel(this);
  }

  // --- from the client --------------------------------------------------------------------------------------------------------------------

  /** `bytes[from, to)`, which are the caller's again afterwards unless its reads have lent them. `reads` are those they came by. */
  onClientBytes(bytes: Buffer, from: number, to: number, reads: Reads): void {
    if (this.#isDone) return;
    const { upstream, client, counters } = this.#parts;
    this.#movedAt = this.#context.now();
    counters?.received(to - from);
    const hasRoom = upstream.write(prepared(bytes, from, to, reads, upstream.pendingBytes));
    settle(reads, to - from, upstream.pendingBytes);
    if (!hasRoom) client.pause();
  }

  onClientDrain(): void {
    if (this.#isDone) return;
    const { upstream } = this.#parts;
    upstream.buffers.returned();
    upstream.resume();
  }

  onClientEnd(): void {
    if (this.#isDone) return;
    this.#hasClientEnded = true;
    this.#parts.upstream.shutdown();
  }

  onClientClose(): void {
    this.#isClientClosed = true;
    this.#onClosed();
  }

  // --- from the upstream ------------------------------------------------------------------------------------------------------------------

  onUpstreamReady(): void {
    // It is: tunnels begin on connections that stand.
  }

  onUpstreamBytes(bytes: Buffer, end: number, from = 0): void {
    if (this.#isDone) return;
    const { client, upstream, counters } = this.#parts;
    this.#movedAt = this.#context.now();
    counters?.sent(end - from);
    const hasRoom = client.write(prepared(bytes, from, end, upstream.buffers, client.writableLength));
    settle(upstream.buffers, end - from, client.writableLength);
    if (!hasRoom) upstream.pause();
  }

  onUpstreamDrain(): void {
    if (this.#isDone) return;
    const { client, clientReads } = this.#parts;
    clientReads.returned();
    client.resume();
  }

  onUpstreamEnd(): void {
    if (this.#isDone) return;
    this.#hasUpstreamEnded = true;
    this.#parts.client.end();
  }

  onUpstreamLost(_loss: UpstreamLoss): void {
    this.#isUpstreamClosed = true;
    this.#onClosed();
  }

  // --- how it ends ------------------------------------------------------------------------------------------------------------------------

  /** Cuts both sides off. */
  destroy(): void {
    if (this.#isDone) return;
    this.#parts.upstream.close();
    this.#parts.client.destroy();
    this.#finish();
  }

  /** One side is gone. Where both had ended, the other still flushes; where not, it is told in the way it was told here. */
  #onClosed(): void {
    if (this.#isDone) return;
    const isWhole = this.#hasClientEnded && this.#hasUpstreamEnded;
    if (isWhole && !(this.#isClientClosed && this.#isUpstreamClosed)) return;
    if (!this.#isUpstreamClosed) this.#parts.upstream.reset();
    if (!this.#isClientClosed) resetSocket(this.#parts.client);
    this.#finish();
  }

  #onDeadline(): void {
    const { idleMs } = this.#parts;
    const dueAt = this.#movedAt + idleMs;
    if (dueAt > this.#context.now()) this.#context.wheel.set(this.#deadline, dueAt);
    else this.destroy();
  }

  #finish(): void {
    this.#isDone = true;
    this.#context.wheel.remove(this.#deadline);
    this.#parts.onDone();
  }
}

/** With RST where the connection is plain: what a FIN says would not be true. */
export function resetSocket(socket: Socket): void {
  if (socket instanceof TLSSocket || socket.destroyed) socket.destroy();
  else socket.resetAndDestroy();
}

/** What may be written: bytes of a buffer that others read into are copied. */
function prepared(bytes: Buffer, from: number, to: number, reads: Reads, pendingBytes: number): Buffer {
  if (pendingBytes === 0) reads.returned();
  const run = bytes.subarray(from, to);
  return reads.areOwn ? run : Buffer.from(run);
}

/** After a write: what is still pending refers to the buffer it was read into; a side that rests goes back to the shared one. */
function settle(reads: Reads, length: number, pendingBytes: number): void {
  if (!reads.areOwn) return;
  if (pendingBytes > 0) reads.lend();
  else if (length < BULK_BYTES) reads.share();
}
