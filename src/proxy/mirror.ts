/**
 * Copies of a request for its route's mirrors: drawn one by one, sent, and forgotten. Whatever becomes of them, the request goes its own way.
 */
import type { RequestHead } from '../http/request-head.ts';
import { shadowHost } from '../routing/shadow-host.ts';
import type { ClusterCounters } from '../telemetry/cluster-counters.ts';
import type { ClusterRuntime } from './cluster-runtime.ts';
import type { DataPlaneContext } from './context.ts';
import { MirrorCopy } from './mirror-copy.ts';
import { requestText } from './request-text.ts';
import type { RequestRewrite } from './request-text.ts';

/** A mirror of a route. */
export interface MirrorTarget {
  readonly cluster: ClusterRuntime;
  /** Apart from the cluster's own. */
  readonly counters: ClusterCounters;
  /** Of a million requests, how many are copied. */
  readonly perMillion: number;
  readonly marksHost: boolean;
}

/** What of a request its copies are made of. */
export interface Mirrored {
  readonly head: RequestHead;
  readonly rewrite: RequestRewrite;
  /** The head as it goes upstream. */
  readonly text: string;
  /** Of the whole copy from the end of the request, ms. */
  readonly timeoutMs: number;
  /** The client speaks HTTP/2. */
  readonly isHttp2: boolean;
}

/** The copies of one request whose body is still to come. */
export class MirrorCopies {
  readonly #context: DataPlaneContext;
  readonly #copies: readonly MirrorCopy[];

  constructor(context: DataPlaneContext, copies: readonly MirrorCopy[]) {
    this.#context = context;
    this.#copies = copies;
  }

  /** A piece of the body, framed as it goes upstream. */
  write(piece: string): void {
    this.#each((copy) => copy.write(piece));
  }

  /** Bytes that are overwritten later. */
  writeBytes(bytes: Buffer): void {
    const own = Buffer.from(bytes);
    this.#each((copy) => copy.write(own));
  }

  /** The request is complete. */
  end(): void {
    this.#each((copy) => copy.end());
  }

  /** The request is over; a copy that has not got all of it is cut off. */
  release(): void {
    this.#each((copy) => copy.cutOff());
  }

  #each(act: (copy: MirrorCopy) => void): void {
    try {
      for (const copy of this.#copies) act(copy);
    } catch (error) {
      this.#context.onInternalError(error);
    }
  }
}

/**
 * Draws for each mirror, and sends the head to those that win.
 *
 * @returns What takes the body; undefined where there is none to come or nothing is copied.
 */
export function mirrorRequest(
  context: DataPlaneContext,
  targets: readonly MirrorTarget[],
  { head, rewrite, text, timeoutMs, isHttp2 }: Mirrored,
): MirrorCopies | undefined {
  let copies: MirrorCopy[] | undefined;
  try {
    for (const target of targets) {
      if (context.random() * 1_000_000 >= target.perMillion) continue;
      const copy = new MirrorCopy(context, target, {
        method: head.method,
        text: target.marksHost ? markedText(head, rewrite) : text,
        timeoutMs,
        isHttp2,
      });
      if (!copy.start()) continue;
      if (head.hasBody) (copies ??= []).push(copy);
      else copy.end();
    }
  } catch (error) {
    context.onInternalError(error);
  }
  return copies && new MirrorCopies(context, copies);
}

function markedText(head: RequestHead, rewrite: RequestRewrite): string {
  const host = rewrite.host ?? (head.hostField === -1 ? '' : head.value(head.hostField));
  return requestText(head, { ...rewrite, host: shadowHost(host) });
}
