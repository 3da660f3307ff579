/**
 * Fuzzes the data plane over sockets, from both sides: `node test/fuzz/http1.ts [--seconds N] [--seed S]`.
 *
 * Requests: whatever a client sends, a strict reader behind Serin understands everything that reaches it; as many answers come back as requests
 * went through, in their order and each to its own; what a rule denies is never seen behind it; the answers do not depend on how the bytes were
 * cut; nothing hangs or throws.
 *
 * Responses: whatever an upstream answers, a strict reader before Serin understands everything it gets, or sees that it broke off; there is at
 * most one final answer; the next client is served as if nothing had been.
 *
 * A case that fails is printed as it is to be put into `corpus/`, which is run first, always.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/base/random.ts';
import type { Random } from '../../src/base/random.ts';
import { randomCut } from '../helpers/bytes.ts';
import type { Cut } from '../helpers/bytes.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { RawUpstream, answering } from '../helpers/raw-upstream.ts';
import { MalformedMessage, readResponse, values } from '../helpers/reference-message.ts';
import type { ReferenceRequest, ReferenceResponse } from '../helpers/reference-message.ts';
import { startProxy } from '../helpers/rig.ts';
import type { RunningProxy } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, setHeaders, singleTable, table } from '../helpers/tables.ts';
import { requests, response } from './grammar.ts';

export interface FuzzCase {
  readonly side: 'client' | 'upstream';
  /** Octets as U+0000 to U+00FF. */
  readonly bytes: string;
}

export interface FuzzReport {
  readonly cases: number;
  /** Requests that went through to the upstream. */
  readonly forwarded: number;
  readonly failures: readonly { readonly case: FuzzCase; readonly why: string }[];
}

/** Longer than this without an end is a hang; the machine may be busy. */
const HANG_MS = 20_000;

const CORPUS = join(import.meta.dirname, 'corpus');

class Failure extends Error {}

function check(isTrue: boolean, why: () => string): void {
  if (!isTrue) throw new Failure(why());
}

function within<Value>(promise: Promise<Value>, what: string): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Failure(`hangs: ${what}`)), HANG_MS);
  });
  return Promise.race([promise, hang]).finally(() => clearTimeout(timer));
}

/** What one connection brought about. */
interface Exchange {
  readonly answers: readonly { readonly status: number; readonly echo: string | undefined }[];
  readonly seen: readonly string[];
}

export class Fuzzer {
  readonly #random: Random;
  readonly #upstream: RawUpstream;
  readonly #proxy: RunningProxy;
  readonly #hostile: RawUpstream;
  readonly #hostileProxy: RunningProxy;
  #seen: ReferenceRequest[];
  /** What the hostile upstream says to the next request. */
  #answer: { bytes: string; cut: Cut };

  static async start(seed: number): Promise<Fuzzer> {
    const seen: ReferenceRequest[] = [];
    const upstream = await RawUpstream.start(
      answering((request) => {
        seen.push(request);
        return `HTTP/1.1 200 OK\r\nX-Echo: ${seen.length}\r\nContent-Length: 2\r\n\r\nok`;
      }),
    );
    const marked = (name: string) => ({ requestHeaders: setHeaders({ 'x-route': name }) });
    const proxy = await startProxy(
      table(
        [
          hosts(
            ['*'],
            [
              route('/admin', { kind: 'directResponse', status: 403, body: new Uint8Array() }),
              route('/a', forward(), marked('a')),
              route('/', forward(), marked('root')),
            ],
          ),
        ],
        [cluster(upstream.port)],
      ),
    );
    const answer: { bytes: string; cut: Cut } = { bytes: '', cut: 'whole' };
    const hostile = await RawUpstream.start(async (side) => {
      for (;;) {
        const request = await side.request();
        if (request === undefined) return;
        if (request.target !== '/hostile') side.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        else {
          await side.send(answer.bytes, answer.cut);
          side.end();
          return;
        }
      }
    });
    return new Fuzzer(seededRandom(seed), {
      upstream,
      proxy,
      hostile,
      hostileProxy: await startProxy(singleTable(hostile.port)),
      seen,
      answer,
    });
  }

  private constructor(
    random: Random,
    parts: {
      upstream: RawUpstream;
      proxy: RunningProxy;
      hostile: RawUpstream;
      hostileProxy: RunningProxy;
      seen: ReferenceRequest[];
      answer: { bytes: string; cut: Cut };
    },
  ) {
    this.#random = random;
    this.#upstream = parts.upstream;
    this.#proxy = parts.proxy;
    this.#hostile = parts.hostile;
    this.#hostileProxy = parts.hostileProxy;
    this.#seen = parts.seen;
    this.#answer = parts.answer;
  }

  async close(): Promise<void> {
    this.#upstream.close();
    this.#hostile.close();
    await this.#proxy.close();
    await this.#hostileProxy.close();
  }

  /** The corpus, and then new cases until there are enough. */
  async run(isEnough: (cases: number) => boolean): Promise<FuzzReport> {
    const failures: { case: FuzzCase; why: string }[] = [];
    let cases = 0;
    let forwarded = 0;
    const corpus = readCorpus();
    for (let position = 0; position < corpus.length || !isEnough(cases); position++) {
      const one = corpus[position] ?? this.#draw();
      try {
        if (one.side === 'client') forwarded += await this.#fromClient(one.bytes);
        else await this.#fromUpstream(one.bytes);
        this.#checkSurvival();
      } catch (error) {
        failures.push({ case: one, why: error instanceof Error ? error.message : String(error) });
      }
      cases++;
    }
    return { cases, forwarded, failures };
  }

  #draw(): FuzzCase {
    return this.#random() < 0.6 ? { side: 'client', bytes: requests(this.#random) } : { side: 'upstream', bytes: response(this.#random) };
  }

  #checkSurvival(): void {
    for (const { internalErrors } of [this.#proxy, this.#hostileProxy])
      check(internalErrors.length === 0, () => `the data plane threw: ${String(internalErrors[0])}`);
    const [error] = this.#upstream.errors.splice(0);
    check(error === undefined, () => `the upstream was sent what it must not be: ${String(error)}`);
    this.#hostile.errors.length = 0;
  }

  /** @returns How many requests went through. */
  async #fromClient(bytes: string): Promise<number> {
    const whole = await this.#exchange(bytes, 'whole');
    const cut = await this.#exchange(
      bytes,
      this.#random() < 0.3 && bytes.length < 600 ? 'octets' : randomCut(this.#random, bytes.length, 4),
    );
    check(JSON.stringify(whole) === JSON.stringify(cut), () => `cut otherwise it is answered otherwise: ${JSON.stringify({ whole, cut })}`);
    return whole.seen.length;
  }

  async #exchange(bytes: string, cut: Cut): Promise<Exchange> {
    this.#seen.length = 0;
    const client = await RawClient.connect(this.#proxy.port);
    await client.send(bytes, cut);
    client.end();
    await within(client.untilEnded(), `after ${JSON.stringify(cut)}`);
    const answers = finalAnswers(client);
    client.close();
    const through = answers.filter((answer) => answer.echo !== undefined);
    check(
      through.length === this.#seen.length,
      () => `${this.#seen.length} requests upstream, ${through.length} of their answers here: ${JSON.stringify(answers)}`,
    );
    through.forEach((answer, index) => check(answer.echo === String(index + 1), () => `answers out of order: ${JSON.stringify(answers)}`));
    for (const request of this.#seen) checkForwarded(request);
    return { answers, seen: this.#seen.map(describeRequest) };
  }

  async #fromUpstream(bytes: string): Promise<void> {
    for (const cut of ['whole', randomCut(this.#random, bytes.length, 4)] as const) {
      this.#answer.bytes = bytes;
      this.#answer.cut = cut;
      const client = await RawClient.connect(this.#hostileProxy.port);
      await client.send('GET /hostile HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      await within(client.untilEnded(), 'an answer to a hostile response');
      const answers = finalAnswers(client);
      client.close();
      check(answers.length <= 1, () => `more than one answer: ${JSON.stringify(client.text)}`);
      const next = await RawClient.connect(this.#hostileProxy.port);
      const well = await within(next.ask('GET /well HTTP/1.1\r\nHost: a\r\n\r\n'), 'the next request');
      next.close();
      check(well.status === 200 && well.body.toString() === 'ok', () => `the next client got ${well.status} ${well.body.toString()}`);
    }
  }
}

/** All final answers a strict reader finds; a broken-off one is none. */
function finalAnswers(client: RawClient): Exchange['answers'] {
  const found: { status: number; echo: string | undefined }[] = [];
  let at = 0;
  while (at < client.received.length) {
    let next: ReferenceResponse | undefined;
    try {
      next = readResponse(client.received, at, 'GET', true);
    } catch (error) {
      if (error instanceof MalformedMessage)
        throw new Failure(`the client was sent what it must not be: ${error.message} in ${JSON.stringify(client.text)}`);
      throw error;
    }
    if (next === undefined) break;
    at = next.end;
    if (next.status >= 200) found.push({ status: next.status, echo: values(next, 'x-echo')[0] });
  }
  return found;
}

/** Beyond being well-formed: what a request behind Serin must be. */
function checkForwarded(request: ReferenceRequest): void {
  const shown = (): string => JSON.stringify(request.head);
  check(request.version === '1.1', shown);
  const names = request.fields.map(([name]) => name.toLowerCase());
  for (const name of ['keep-alive', 'proxy-connection', 'upgrade']) check(!names.includes(name), () => `${name} went through: ${shown()}`);
  check(!names.some((name) => name.includes('_')), () => `an underscored name went through: ${shown()}`);
  check(values(request, 'x-forwarded-for').join() === '127.0.0.1', () => `identity: ${shown()}`);
  const path = request.target.replace(/\?.*/s, '');
  // A reader of any persuasion resolves the path to what was routed.
  const resolved = new URL(`http://a${path}`).pathname;
  check(!resolved.startsWith('/admin'), () => `a denied path went through: ${shown()}`);
  check(!/\/\.{1,2}(?:\/|$)/.test(path), () => `dot segments went through: ${shown()}`);
  check(
    values(request, 'x-route').join() === (path.startsWith('/a') ? 'a' : 'root'),
    () => `routed by another path than forwarded: ${shown()}`,
  );
}

function describeRequest(request: ReferenceRequest): string {
  const fields = request.fields.filter(([name]) => !/^(?:x-request-id|via)$/i.test(name));
  return JSON.stringify([request.method, request.target, fields, request.body.toString('latin1'), request.trailers]);
}

function readCorpus(): readonly FuzzCase[] {
  return readdirSync(CORPUS)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(CORPUS, name), 'utf8')) as FuzzCase);
}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({ options: { seconds: { type: 'string', default: '30' }, seed: { type: 'string' } } });
  const seed = flags.seed === undefined ? (crypto.getRandomValues(new Uint32Array(1))[0] ?? 1) : Number(flags.seed);
  const fuzzer = await Fuzzer.start(seed);
  const untilMs = performance.now() + Number(flags.seconds) * 1000;
  const report = await fuzzer.run(() => performance.now() > untilMs);
  await fuzzer.close();
  for (const { case: one, why } of report.failures.slice(0, 20)) console.log(`${JSON.stringify(one)}\n  ${why}`);
  console.log(`seed ${seed}: ${report.cases} cases, ${report.forwarded} requests through, ${report.failures.length} failures`);
  process.exitCode = report.failures.length > 0 ? 1 : 0;
}

if (import.meta.main) await main();
