/** A client that writes literal bytes and reads responses with the reference reader. */
import { connect } from 'node:net';
import type { Bytes, Cut } from './bytes.ts';
import { RawSocket } from './raw-socket.ts';
import { readResponse } from './reference-message.ts';
import type { ReferenceResponse } from './reference-message.ts';

export class RawClient extends RawSocket {
  #read = 0;

  static connect(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawClient(socket));
      });
    });
  }

  /** What has been received and not yet been read as a response. */
  get unread(): Buffer {
    return this.received.subarray(this.#read);
  }

  /** The next response, 1xx included, as soon as it is complete. */
  async response(requestMethod = 'GET'): Promise<ReferenceResponse> {
    let found: ReferenceResponse | undefined;
    await this.until(() => {
      found = readResponse(this.received, this.#read, requestMethod, this.isEnded);
      return found !== undefined || this.isEnded || this.isClosed;
    }, 'a response');
    if (found === undefined) throw new Error(`the stream ended before a complete response: ${JSON.stringify(this.text)}`);
    this.#read = found.end;
    return found;
  }

  async ask(bytes: Bytes, cut: Cut = 'whole', requestMethod = 'GET'): Promise<ReferenceResponse> {
    await this.send(bytes, cut);
    return this.response(requestMethod);
  }

  /** All final responses until Serin closes; our side is closed when its FIN has come. */
  async untilServerCloses(requestMethod = 'GET'): Promise<readonly ReferenceResponse[]> {
    await this.untilEnded();
    const found: ReferenceResponse[] = [];
    for (;;) {
      const next = this.#read < this.received.length ? readResponse(this.received, this.#read, requestMethod, true) : undefined;
      if (next === undefined) break;
      found.push(next);
      this.#read = next.end;
    }
    this.close();
    return found;
  }
}
