/** An answer that is not passed on: whether the connection it came by may serve again. One object a client connection, used again. */
import { BodyReader } from '../http/body-reader.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Cluster } from '../routing/table.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { UpstreamLink } from './upstream-link.ts';
import { responseFraming, restMs } from './upstream-rules.ts';

export class UnwantedAnswer {
  readonly #body = new BodyReader('response');

  /**
   * How long its connection may rest: only where all of the answer is in `bytes[from, end)`, and nothing else, and all of the request has been sent.
   *
   * @returns 0 where it cannot be used again.
   */
  restMs(
    { method, upgrade }: IncomingRequest,
    head: ResponseHead,
    bytes: Buffer,
    from: number,
    end: number,
    cluster: Cluster,
    connection: UpstreamLink,
  ): number {
    const body = this.#body;
    const framing = responseFraming(method, head);
    body.begin(framing, head.contentLength);
    let at = from;
    while (at < end && !body.isDone && body.error === undefined) at = body.take(bytes, at, end);
    const isExact = body.isDone && at === end && framing !== 'untilClose' && !head.closes && upgrade === '';
    return !isExact || connection.hasPendingWrites || connection.isWornOut(cluster) ? 0 : restMs(cluster, head);
  }
}
