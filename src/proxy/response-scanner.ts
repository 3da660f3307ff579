/**
 * Finds response heads in what an upstream connection delivers, whether they come whole or in pieces. The outcome does not depend on the pieces.
 */
import { GrowingBuffer } from '../http/growing-buffer.ts';
import { Scan } from '../http/head.ts';
import { ResponseHead } from '../http/response-head.ts';
import type { DataPlaneContext } from './context.ts';

export class ResponseScanner {
  readonly #context: DataPlaneContext;
  #partial: { readonly head: ResponseHead; readonly buffer: GrowingBuffer } | undefined;
  /** The head last looked at: complete after `Scan.done`, with its error after `Scan.refused`. Only until the next read of any connection. */
  head: ResponseHead;
  /** After `Scan.done`: where the bytes behind the head begin. */
  next = 0;

  constructor(context: DataPlaneContext) {
    this.#context = context;
    this.head = context.responseHead;
  }

  /** Bytes of a head have come, but not yet all. */
  get hasPart(): boolean {
    return this.#partial !== undefined;
  }

  reset(): void {
    this.#partial = undefined;
  }

  /** Looks at `bytes[at, end)`, which are kept where they are only a part. */
  scan(bytes: Buffer, at: number, end: number): Scan {
    const partial = this.#partial;
    if (partial === undefined) {
      const head = this.#context.responseHead;
      head.reset(bytes, at);
      const scan = head.scan(end);
      this.head = head;
      this.next = head.end;
      if (scan !== Scan.more) return scan;
      // Its own head from here on: the shared one serves the next connection.
      const buffer = new GrowingBuffer();
      buffer.append(bytes, at, end);
      const own = new ResponseHead();
      own.reset(buffer.bytes, 0);
      own.scan(buffer.length);
      this.#partial = { head: own, buffer };
      return scan;
    }
    const { head, buffer } = partial;
    const before = buffer.length;
    buffer.append(bytes, at, end);
    head.bytes = buffer.bytes;
    const scan = head.scan(buffer.length);
    if (scan === Scan.more) return scan;
    this.#partial = undefined;
    this.head = head;
    this.next = at + (head.end - before);
    return scan;
  }
}
