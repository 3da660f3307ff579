/**
 * The load generator: keep-alive connections on raw sockets, one request at a time on each, as fast as the answers come.
 *
 *     node bench/load.ts PLAN.json
 *
 * PLAN.json holds a `LoadPlan`; one JSON object (`LoadResult`) is printed. Its own program, so that it can have a core of its own. It measures the proxy, so it does as little
 * as it can: request bytes are prepared, answers are only framed (Content-Length; nothing here sends chunked). `requests` are taken in
 * turn, each connection starting elsewhere, so that several targets are mixed.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { BUCKETS, bucketIndex, quantileMs } from '../src/telemetry/histogram.ts';
import { loadSession, STREAMS } from './load-http2.ts';

export interface LoadPlan {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** Complete requests as text (Latin-1). */
  readonly requests: readonly string[];
  /** This many bytes of body follow every request head; the head must say so. */
  readonly bodyBytes?: number;
  /** Over TLS: the CA (PEM) of a certificate for `app`. */
  readonly tlsCa?: string;
  /** HTTP/2 in plain text: `connections` is then how many requests are under way. */
  readonly isHttp2?: boolean;
}

export interface LoadResult {
  readonly requests: number;
  /** Answers that were not 200, and connections that broke. */
  readonly failures: number;
  /** Answers whose body begins with `v2`. */
  readonly secondVersion: number;
  readonly bodyBytes: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const CRLF2 = Buffer.from('\r\n\r\n');

class Load {
  readonly #plan: LoadPlan;
  readonly #requests: readonly Buffer[];
  readonly #latency = new Float64Array(BUCKETS);
  readonly #startedMs = performance.now();
  #requestsDone = 0;
  #failures = 0;
  #secondVersion = 0;
  #bodyBytes = 0;
  #isOver = false;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    const body = Buffer.alloc(plan.bodyBytes ?? 0, 'x');
    this.#requests = plan.requests.map((head) => Buffer.concat([Buffer.from(head, 'latin1'), body]));
  }

  run(onEnd: (result: LoadResult) => void): void {
    if (this.#plan.isHttp2 === true) this.#runHttp2();
    else for (let i = 0; i < this.#plan.connections; i++) this.#connect(i);
    setTimeout(() => {
      this.#isOver = true;
      const seconds = (performance.now() - this.#startedMs) / 1000;
      onEnd({
        requests: this.#requestsDone,
        failures: this.#failures,
        secondVersion: this.#secondVersion,
        bodyBytes: this.#bodyBytes,
        seconds,
        p50Ms: quantileMs(this.#latency, 0.5) ?? Number.NaN,
        p99Ms: quantileMs(this.#latency, 0.99) ?? Number.NaN,
      });
    }, this.#plan.seconds * 1000);
  }

  #runHttp2(): void {
    const { port, connections, requests } = this.#plan;
    for (let session = 0; session < connections / STREAMS; session++) {
      loadSession(port, requests, {
        onAnswer: (status, first, bytes, sentMs) => {
          if (this.#isOver) return;
          if (status !== 200) this.#failures++;
          if (first[0] === 0x76 && first[1] === 0x32) this.#secondVersion++;
          this.#bodyBytes += bytes;
          this.#count(sentMs);
        },
        onBroken: () => {
          if (!this.#isOver) this.#failures++;
        },
      });
    }
  }

  /** A whole answer has come. */
  #count(sentMs: number): void {
    this.#requestsDone++;
    const bucket = bucketIndex(performance.now() - sentMs);
    this.#latency[bucket] = (this.#latency[bucket] ?? 0) + 1;
  }

  /** One connection, for the whole run; a broken one is replaced and counted. */
  #connect(index: number): void {
    const requests = this.#requests;
    // A large odd stride mixes targets without a random number a request.
    let next = (index * 7919) % requests.length;
    let sentMs = 0;
    /** Bytes of the current body still to come; -1 while the head is not complete. */
    let missing = -1;
    let head: Buffer | undefined;

    const { port, tlsCa } = this.#plan;
    const onread = {
      buffer: Buffer.allocUnsafe(256 * 1024),
      callback: (bytes: number, buffer: Uint8Array) => {
        take(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
        return true;
      },
    };
    const socket: Socket =
      tlsCa === undefined
        ? connect({ port, host: '127.0.0.1', noDelay: true, onread })
        : connectTls({ port, host: '127.0.0.1', servername: 'app', ca: tlsCa, ALPNProtocols: ['http/1.1'] }).on('data', (chunk: Buffer) =>
            take(chunk),
          );
    const send = (): void => {
      const request = requests[next];
      next = next + 1 === requests.length ? 0 : next + 1;
      sentMs = performance.now();
      if (request !== undefined) socket.write(request);
    };
    const done = (): void => {
      missing = -1;
      if (this.#isOver) return;
      this.#count(sentMs);
      send();
    };
    const take = (chunk: Buffer): void => {
      if (missing >= 0) {
        missing -= chunk.length;
        this.#bodyBytes += chunk.length;
        if (missing <= 0) done();
        return;
      }
      const bytes = head === undefined ? chunk : Buffer.concat([head, chunk]);
      const end = bytes.indexOf(CRLF2);
      if (end < 0) {
        head = Buffer.from(bytes);
        return;
      }
      head = undefined;
      const text = bytes.latin1Slice(0, end);
      if (!text.startsWith('HTTP/1.1 200')) this.#failures++;
      const bodyStart = end + CRLF2.length;
      const length = contentLength(text);
      if (length < 0) throw new Error(`expected an answer with Content-Length, found:\n${text}`);
      if (bytes[bodyStart] === 0x76 && bytes[bodyStart + 1] === 0x32) this.#secondVersion++;
      const here = bytes.length - bodyStart;
      this.#bodyBytes += here;
      missing = length - here;
      if (missing <= 0) done();
    };
    socket.on(tlsCa === undefined ? 'connect' : 'secureConnect', send);
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#isOver) return;
      this.#failures++;
      // Nobody listens, or everybody is thrown out: not a measurement.
      if (this.#failures > 1000 && this.#requestsDone === 0) throw new Error(`port ${this.#plan.port} takes no requests`);
      this.#connect(index);
    });
  }
}

function contentLength(head: string): number {
  const at = head.search(/\r\ncontent-length: ?\d/i);
  return at < 0 ? -1 : Number.parseInt(head.slice(at + 17), 10);
}

if (import.meta.main) {
  const plan: LoadPlan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
  new Load(plan).run((result) => {
    process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
  });
}
