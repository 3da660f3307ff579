/**
 * What a hostile or broken upstream may answer, as data: its bytes, and what the client gets. Each is sent in one write, octet by octet and cut
 * at random offsets; the answer may not depend on it.
 */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { randomCut } from '../helpers/bytes.ts';
import type { Cut } from '../helpers/bytes.ts';
import { OK, answering } from '../helpers/raw-upstream.ts';
import type { UpstreamScript } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import { GET, get, rig } from '../helpers/wire.ts';

interface Row {
  readonly id: string;
  readonly is: string;
  readonly bytes: string;
}

const bad = (id: string, is: string, bytes: string): Row => ({ id, is, bytes });
const each = (id: string, is: string, texts: readonly string[], make: (text: string) => string): Row[] =>
  texts.map((text) => bad(id, `${is} ${JSON.stringify(text).slice(0, 50)}`, make(text)));
const withFields = (lines: string, body = ''): string => `HTTP/1.1 200 OK\r\n${lines}\r\n${body}`;

const REFUSED: readonly Row[] = [
  ...each(
    'B-165',
    'status line',
    [
      'HTTP/1.1 99 x',
      'HTTP/1.1 099 x',
      'HTTP/1.1 2000 OK',
      'HTTP/1.1 20 OK',
      'HTTP/1.1 2x0 OK',
      'HTP/1.1 200 OK',
      'HTTP/1 200 OK',
      'HTTP/1.10 200 OK',
      'HTTP/2.0 200 OK',
      'HTTP/1.1  200 OK',
      'HTTP/1.1\t200 OK',
      'http/1.1 200 OK',
      '200',
      'X: y',
      '',
      'HTTP/1.1 200 O\0K',
      'HTTP/1.1 200 O\rK',
      'HTTP/1.1 -20 OK',
    ],
    (line) => `${line}\r\nContent-Length: 2\r\n\r\nok`,
  ),
  bad('B-165', 'status line ended by LF', 'HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok'),
  bad('B-165', 'status line of 9 KiB', `HTTP/1.1 200 ${'a'.repeat(9000)}\r\nContent-Length: 2\r\n\r\nok`),
  bad('P53', 'two lengths', withFields('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello')),
  bad('P53', 'two equal lengths', withFields('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello')),
  ...each('B-166', 'Content-Length', ['5, 6', '5, 5', '+5', '-5', '5x', '', '0x5', '9007199254740993'], (value) =>
    withFields(`Content-Length: ${value}\r\n`, 'hello'),
  ),
  bad('B-166', 'length and coding', withFields('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')),
  bad('B-166', 'coding and length', withFields('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n')),
  ...each(
    'B-166',
    'Transfer-Encoding',
    ['gzip', 'chunked, gzip', 'gzip, chunked', 'chunked, chunked', 'identity', 'xchunked', ',chunked', ''],
    (value) => withFields(`Transfer-Encoding: ${value}\r\n`, '0\r\n\r\n'),
  ),
  bad('P53', 'chunked twice', withFields('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')),
  bad('P28', 'chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  bad('B-167', 'a folded field', withFields('X: a\r\n b\r\nContent-Length: 0\r\n')),
  bad('B-167', 'NUL in a value', withFields('X: a\0b\r\nContent-Length: 0\r\n')),
  bad('B-167', 'CR in a value', withFields('X: a\rb\r\nContent-Length: 0\r\n')),
  bad('B-167', 'LF alone', withFields('X: a\nContent-Length: 0\r\n')),
  bad('B-167', '300 fields', withFields(`${'X: y\r\n'.repeat(300)}Content-Length: 0\r\n`)),
  bad('B-167', 'a head of 70 KiB', withFields(`X: ${'a'.repeat(70_000)}\r\nContent-Length: 0\r\n`)),
  bad('P9', 'no colon', withFields('Foo\r\nContent-Length: 0\r\n')),
  bad('P9', 'no name', withFields(': x\r\nContent-Length: 0\r\n')),
  bad('P7', 'space before the colon of Content-Length', withFields('Content-Length : 0\r\n')),
  bad('P7', 'tab before the colon of Transfer-Encoding', withFields('Transfer-Encoding\t: chunked\r\n', '0\r\n\r\n')),
  bad('B-168', '101 that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'),
];

const random = seededRandom(3);
const cutsOf = (bytes: string): readonly (readonly [string, Cut])[] => [
  ['one write', 'whole'],
  [
    'octets',
    bytes.length <= 2000 ? 'octets' : Array.from({ length: 1500 }, (_, index) => (index < 500 ? index : bytes.length - 1500 + index)),
  ],
  ['random cuts', randomCut(random, bytes.length, 3)],
];

/** The first connection answers these bytes and then waits; further ones are well. */
const first =
  (bytes: string, cut: Cut = 'whole'): UpstreamScript =>
  async (side, index) => {
    if (index > 0) return answering(OK)(side, index);
    await side.nextRequest();
    await side.send(bytes, cut);
    await side.untilClosed();
  };

describe.each(REFUSED.map((row, index) => ({ ...row, name: `[${row.id}] #${index} ${row.is}` })))('502: $name', ({ bytes }) => {
  test.each(cutsOf(bytes))('%s', async (_name, cut) => {
    const { client, upstream } = await asked(bytes, cut);
    const answer = await client.response();
    expect(answer.status).toBe(502);
    expect(values(answer, 'x-serin-error')).toHaveLength(1);
    // Whatever more that connection may say is not believed.
    await (await upstream.connection(0)).untilClosed();
    // The client has done nothing wrong.
    expect((await client.ask(get('', '/next'))).body.toString()).toBe('ok');
    expect(upstream.connections).toHaveLength(2);
  });
});

async function asked(bytes: string, cut: Cut) {
  const started = await rig({ script: first(bytes, cut) });
  const client = await started.sent(GET);
  return { client, upstream: started.upstream };
}

describe('what a client gets of a response that is odd but understood', () => {
  test.each([
    ['[P7] space before the colon is removed', 'X-A : b\r\nContent-Length: 2\r\n', [['x-a', 'b']]],
    ['[P7] with nothing after the colon', 'X-A :b\r\nContent-Length: 2\r\n', [['x-a', 'b']]],
    [
      '[P38] fields Connection names',
      'Connection: x-a\r\nX-A: b\r\nContent-Length: 2\r\n',
      [
        ['x-a', undefined],
        ['connection', undefined],
      ],
    ],
    [
      '[P38] hop-by-hop fields',
      'Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nTE: x\r\nContent-Length: 2\r\n',
      [
        ['keep-alive', undefined],
        ['proxy-connection', undefined],
        ['upgrade', undefined],
        ['te', undefined],
      ],
    ],
    ['[P29] leading zeros', 'Content-Length: 002\r\n', [['content-length', '2']]],
    ['[P38] protected names nominated', 'Connection: content-length\r\nContent-Length: 2\r\n', [['content-length', '2']]],
  ] as const)('%s', async (_title, lines, expected) => {
    for (const cut of ['whole', 'octets'] as const) {
      const started = await rig({ script: first(withFields(lines, 'ok'), cut) });
      const client = await started.sent(GET);
      const answer = await client.response();
      expect(answer.status).toBe(200);
      expect(answer.body.toString()).toBe('ok');
      for (const [name, value] of expected) expect(values(answer, name)).toEqual(value === undefined ? [] : [value]);
    }
  });

  test.each(cutsOf('x'.repeat(60)))('[P53] HTTP/1.0 without framing ends at the close, %s', async (_name, cut) => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        await side.send('HTTP/1.0 200 OK\r\nX: y\r\n\r\nhello', cut);
        side.end();
      },
    });
    const answer = await (await started.sent(GET)).response();
    expect([answer.status, answer.framing, answer.body.toString()]).toEqual([200, 'chunked', 'hello']);
  });

  test('[B-165] a status line without a reason', async () => {
    const started = await rig({ script: first('HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n') });
    expect((await (await started.sent(GET)).response()).status).toBe(299);
  });

  test('[P4] octets of a value pass unchanged, in both directions', async () => {
    const started = await rig({ script: first(withFields('X: \xc3\x28\x80\xff\r\nContent-Length: 0\r\n')) });
    const client = await started.sent(get('Y: \xc3\x28\x85\xa0\xff\r\n'));
    expect(values(await client.response(), 'x')).toEqual(['\xc3\x28\x80\xff']);
    expect(values(started.upstream.requests[0] ?? { fields: [] }, 'y')).toEqual(['\xc3\x28\x85\xa0\xff']);
  });
});

describe('chunked responses that break after their head', () => {
  test.each([
    ['size', 'g\r\nx\r\n0\r\n\r\n'],
    ['sign', '+1\r\nx\r\n0\r\n\r\n'],
    ['LF', '1\nx\r\n0\r\n\r\n'],
    ['data too long', '1\r\nxx\r\n0\r\n\r\n'],
    ['17 digits', '00000000000000001\r\nx\r\n0\r\n\r\n'],
    ['extension', '1;=\r\nx\r\n0\r\n\r\n'],
    ['trailer', '0\r\nX : y\r\n\r\n'],
    ['trailers', `0\r\n${'X: y\r\n'.repeat(40)}\r\n`],
  ])('[P31] [P55] bad %s: no last chunk, and the connection is cut', async (_name, body) => {
    for (const cut of ['whole', 'octets'] as const) {
      const started = await rig({ script: first(withFields('Transfer-Encoding: chunked\r\n', body), cut) });
      const client = await started.sent(GET);
      await client.untilEnded();
      expect(client.text).not.toContain('\r\n0\r\n');
      await (await started.upstream.connection(0)).untilClosed();
    }
  });
});
