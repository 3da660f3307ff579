/** Retries, faults and mirrors together, before upstreams that fail in every way: nobody gets another's answer or half a body, and nothing is left over. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { ForwardAction } from '../../src/routing/table.ts';
import { RawUpstream } from '../helpers/raw-upstream.ts';
import type { UpstreamScript } from '../helpers/raw-upstream.ts';
import { RawClient } from '../helpers/raw-client.ts';
import { randomCut } from '../helpers/bytes.ts';
import { startProxy } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, table } from '../helpers/tables.ts';

const MIRROR = 'mirror';
const random = seededRandom(20_261_128);
const below = (limit: number): number => Math.floor(random() * limit);

function digest(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Answers with a digest of what it got, or does one of the things that go wrong. */
function nasty(share: number): UpstreamScript {
  return async (side) => {
    for (;;) {
      const isBad = random() < share;
      if (isBad && random() < 0.2) {
        // Before the body has come.
        await side.head();
        side.write('HTTP/1.1 503 Early\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      const request = await side.request();
      if (request === undefined) return;
      const answer = digest(request.body);
      const good = `HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`;
      switch (isBad ? below(6) : -1) {
        case -1:
          await side.send(good, random() < 0.3 ? randomCut(random, good.length, 3) : 'whole');
          break;
        case 0:
          side.write('HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy');
          break;
        case 1:
          side.write('HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbu');
          await side.send('sy\r\n0\r\n\r\n', [2]);
          break;
        case 2:
          side.reset();
          return;
        case 3:
          await side.send('HTTP/1.1 200 O');
          side.close();
          return;
        case 4:
          // Hangs until it is given up.
          await side.untilEnded();
          return;
        default:
          side.write('nonsense\r\n\r\n');
          return;
      }
    }
  };
}

function message(method: string, body: Buffer): Buffer {
  const head = `${method} /${body.length} HTTP/1.1\r\nHost: a\r\n`;
  if (random() < 0.5) return Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), body]);
  const half = below(body.length + 1);
  const pieces = [body.subarray(0, half), body.subarray(half)].filter((piece) => piece.length > 0);
  const chunks = pieces.flatMap((piece) => [Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
  return Buffer.concat([Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`), ...chunks, Buffer.from('0\r\n\r\n')]);
}

test('over hundreds of requests', { timeout: 60_000 }, async () => {
  const [first, second, mirror] = await Promise.all([
    RawUpstream.start(nasty(0.3)),
    RawUpstream.start(nasty(0.3)),
    RawUpstream.start(nasty(0.5)),
  ]);
  const action: Partial<ForwardAction> = {
    retry: {
      attempts: 4,
      on: ['5xx'],
      statusCodes: [],
      perTryTimeoutMs: 300,
      backoffMs: 2,
      avoidsTried: true,
      repeatsAnything: false,
    },
    fault: { delay: { perMillion: 50_000, ms: 10 }, abort: { perMillion: 50_000, status: 503 }, isBeforeRouter: false },
    mirrors: [{ cluster: 1, perMillion: 500_000, marksHost: true }],
    timeoutMs: 10_000,
  };
  const free = { percent: 100, atLeast: 100 };
  const clusters = [cluster([first.port, second.port], { retryLimit: free }), cluster(mirror.port, { name: MIRROR })];
  const running = await startProxy(table([hosts(['*'], [route('/', forward(action))])], clusters));
  let answered = 0;
  let good = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      let client = await RawClient.connect(running.port);
      for (let index = 0; index < 50; index++) {
        const method = random() < 0.8 ? 'PUT' : 'POST';
        const body = Buffer.alloc(below(3) === 0 ? below(60_000) : below(2000), String.fromCodePoint(97 + below(26)));
        const bytes = message(method, body);
        await client.send(bytes, random() < 0.5 ? randomCut(random, bytes.length, 3) : 'whole');
        const answer = await client.response(method);
        answered++;
        if (answer.status === 200) {
          good++;
          expect(answer.body.toString()).toBe(digest(body));
        } else expect([502, 503, 504]).toContain(answer.status);
        if (answer.fields.some(([name]) => name.toLowerCase() === 'connection')) {
          client.close();
          client = await RawClient.connect(running.port);
        }
      }
      client.close();
    }),
  );
  expect(answered).toBe(400);
  // What is not idempotent fails as often as the upstreams do; the rest is made good.
  expect(good).toBeGreaterThan(280);
  for (const name of [cluster(1).name, `mirror|${MIRROR}`])
    await expect.poll(() => running.proxy.stats.totals(name).active, { timeout: 20_000 }).toBe(0);
  for (const { port } of [first, second, mirror]) expect(await running.proxy.activeRequests({ address: '127.0.0.1', port })).toBe(0);
  expect(running.internalErrors).toEqual([]);
  expect([first, second, mirror].flatMap(({ errors }) => errors)).toEqual([]);
  await running.close();
  for (const upstream of [first, second, mirror]) upstream.close();
});
