/** A reader of server-sent events over a real socket, which reads only when it is asked to. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';

export interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
}

export class EventReader {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Settles when the stream has ended, whoever ended it. */
  readonly ended: Promise<void>;
  /** Everything read so far. */
  readonly events: ServerEvent[] = [];
  /** Comments, such as pings. */
  comments = 0;
  /** All bytes, as text. */
  text = '';
  readonly #request: ClientRequest;
  readonly #response: IncomingMessage;
  #rest = '';
  #taken = 0;
  #waiting: (() => void)[] = [];
  #hasEnded = false;

  /** @param path Under /api/v1/. */
  static open(port: number, path: string, headers: Readonly<Record<string, string>>): Promise<EventReader> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path: `/api/v1/${path}`, headers, agent: false }, (response) => {
        resolve(new EventReader(sent, response));
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  private constructor(sent: ClientRequest, response: IncomingMessage) {
    this.#request = sent;
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.#take(text));
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#hasEnded = true;
        this.#wake();
        resolve();
      };
      response.on('end', end).on('error', end).on('close', end);
    });
  }

  /** The next event of this name that nobody has taken; those before it are passed over. Waits for it. */
  async next(event: string, fits: (data: never) => boolean = () => true): Promise<unknown> {
    for (;;) {
      while (this.#taken < this.events.length) {
        const found = this.events[this.#taken++];
        if (found?.event === event && fits(found.data as never)) return found.data;
      }
      if (this.#hasEnded) throw new Error(`the stream has ended before an event ${event}:\n${this.text.slice(-2000)}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Stops reading: what comes stays in the sockets' buffers. */
  stall(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  close(): void {
    this.#request.destroy();
  }

  #take(text: string): void {
    this.text += text;
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => [line.split(': ', 1)[0] ?? '', line.slice(line.indexOf(': ') + 2)]));
      const event = fields.get('event');
      if (event === undefined) this.comments++;
      else this.events.push({ event, data: JSON.parse(fields.get('data') ?? 'null') });
    }
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
