/**
 * Requests nobody should send, as data: bytes, the answers, whether the connection ends. Each is sent in one write, octet by octet and cut at
 * random offsets; the answer may not depend on it.
 *
 * A request that ends the connection is followed by another one in the same bytes: it must never be answered and never reach the upstream.
 */
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { randomCut } from '../helpers/bytes.ts';
import type { Cut } from '../helpers/bytes.ts';
import { values } from '../helpers/reference-message.ts';
import type { ReferenceRequest } from '../helpers/reference-message.ts';
import { chunked, get, rig } from '../helpers/wire.ts';

interface Row {
  readonly id: string;
  readonly is: string;
  readonly bytes: string;
  /** Statuses of the answers, in order. */
  readonly answers: readonly number[];
  /** Whether the connection ends after them. Default: an answer of 400 and more ends it. */
  readonly closes?: boolean;
  /** Looks at what reached the upstream. Default: as many requests as answers of 200. */
  readonly upstream?: (requests: readonly ReferenceRequest[]) => void;
}

const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

const bad = (id: string, is: string, bytes: string, status = 400): Row => ({ id, is, bytes, answers: [status] });
const good = (id: string, is: string, bytes: string, upstream?: Row['upstream']): Row => ({
  id,
  is,
  bytes,
  answers: [200],
  closes: false,
  ...(upstream === undefined ? {} : { upstream }),
});
const each = (id: string, is: string, values: readonly string[], make: (value: string) => string, status = 400): Row[] =>
  values.map((value) => bad(id, `${is} ${JSON.stringify(value).slice(0, 40)}`, make(value), status));

const line = (text: string): string => `${text}\r\nHost: a\r\n\r\n`;
const length = (value: string, body = 'x'): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${value}\r\n\r\n${body}`;
const coding = (value: string): string => `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${value}\r\n\r\n0\r\n\r\n`;
const fields = (count: number, from = 1): string => Array.from({ length: count }, (_, index) => `X-${index + from}: v\r\n`).join('');

const hasBody = (body: string) => (requests: readonly ReferenceRequest[]) => {
  expect(requests[0]?.body.toString('latin1')).toBe(body);
};

const ROWS: readonly Row[] = [
  bad('P1 B-94', 'bare LF throughout', 'GET / HTTP/1.1\nHost: a\n\n'),
  bad('P1 B-95', 'a field line ended by LF alone', 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n'),
  bad('P2 B-96', 'CR inside a value', get('X: a\rb\r\n')),
  bad('P3 B-97', 'NUL in a value', get('X: a\0b\r\n')),
  ...each('P3 B-98', 'a control in a value', ['\x0b', '\x7f', '\x01', '\x1f', '\x0c'], (control) => get(`X: a${control}b\r\n`)),
  bad('P6 P8 B-99', 'space before the first field', 'GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n'),
  bad('P6 P8 B-99', 'a folded value', get('X: a\r\n b\r\n')),
  bad('P6 P8 B-99', 'a value folded with a tab', get('X: a\r\n\tb\r\n')),
  bad('P7 B-100', 'space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'),
  bad('P7 B-100', 'tab before the colon', 'GET / HTTP/1.1\r\nHost\t: a\r\n\r\n'),
  bad('P9 B-101', 'an empty name', get(': v\r\n')),
  bad('P9 B-102', 'no colon', get('Foo\r\n')),
  bad('P9 B-103', 'no colon after Content-Length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length 10\r\n\r\n'),
  ...each('P9 B-104', 'not a token', ['F\xefo', 'foo(', 'f[o', 'f@o', 'f\0o', 'f"o'], (name) => get(`${name}: b\r\n`)),
  bad('P9 B-105', 'CRLF inside a name', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-\r\nEncoding: chunked\r\n\r\n0\r\n\r\n'),
  bad('P15 B-106', 'no Host', 'GET / HTTP/1.1\r\n\r\n'),
  bad('P15 B-107', 'two equal Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'),
  bad('P15 B-107', 'two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'),
  ...each(
    'P15 B-108',
    'Host',
    ['a,b', 'a/b', 'u@a', 'a b', 'a:99999', 'a:b', '[::1', '', 'a:', 'a:0', '[]', '[::1]x', 'a#b', 'a\\b', '\xe9'],
    (host) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  ),
  good('P17 B-110', 'absolute-form with another Host', 'GET http://b/x?y HTTP/1.1\r\nHost: a\r\n\r\n', ([request]) => {
    expect(request?.target).toBe('/x?y');
    expect(values(request ?? { fields: [] }, 'host')).toEqual(['b']);
  }),
  ...each('P17 B-111', 'target', ['http://u:p@a/', 'ftp://a/', 'http:///', 'http://', 'http://a:b/', 'http:/a/', 'https//a'], (target) =>
    line(`GET ${target} HTTP/1.1`),
  ),
  bad(
    'P26 B-112',
    'Content-Length then Transfer-Encoding',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ),
  bad(
    'P26 B-112',
    'Transfer-Encoding then Content-Length',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
  ),
  bad('P29 B-113', 'Content-Length twice, equal', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx'),
  bad('P29 B-113', 'Content-Length twice, different', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 0\r\n\r\nx'),
  bad('P29 B-113', 'a list', length('1, 1')),
  ...each('P29 B-114', 'Content-Length', ['+1', '-1', '-0', '0x1', '1_0', '1e1', '', ' ', '1 2', '1;', '\xd9\xa0', '1.0', 'a'], (value) =>
    length(value),
  ),
  good('P29 B-115', 'leading zero', length('010', '0123456789'), (requests) => {
    expect(values(requests[0] ?? { fields: [] }, 'content-length')).toEqual(['10']);
    hasBody('0123456789')(requests);
  }),
  ...each('P29 B-116', 'Content-Length', ['18446744073709551616', '9007199254740992', '9007199254740993', '9'.repeat(400)], (value) =>
    length(value),
  ),
  bad('P27 B-117', 'chunked twice', coding('chunked, chunked')),
  bad('P27 B-117', 'two lines', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  bad(
    'P27 B-117',
    'two lines, the first odd',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ),
  ...each('P27 B-118', 'Transfer-Encoding', [',chunked', 'chunked,', '', ',', ' , chunked'], coding),
  ...each(
    'P27 B-119',
    'Transfer-Encoding',
    ['xchunked', 'chunkedx', '"chunked"', 'chunked;q=1', '\x0bchunked', 'chunked\x0c', '\xa0chunked', 'chunked\x85', "'chunked'"],
    coding,
  ),
  bad('P27 B-120', 'identity', coding('identity')),
  bad('P27 B-121', 'gzip before chunked', coding('gzip, chunked'), 501),
  bad('P27 B-121', 'an unknown coding before chunked', coding('foo , chunked'), 501),
  bad('P27 B-122', 'chunked before gzip', coding('chunked, gzip')),
  bad('P27 B-122', 'gzip alone', coding('gzip')),
  bad('P28 B-123', 'Transfer-Encoding in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  good(
    'P42 B-124',
    'Transfer_Encoding beside Content-Length',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
    (requests) => {
      hasBody('0\r\n\r\n')(requests);
      expect(requests[0]?.head).not.toMatch(/encoding/i);
    },
  ),
  good('P27 B-125', 'CHUNKED', 'POST / HTTP/1.1\r\nHost: a\r\ntransfer-ENCODING: CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n', hasBody('x')),
  ...each(
    'P31 B-126',
    'chunk size',
    ['0x1', '+1', '-1', ' 1', '1 ', '1_0', '', 'g', '00000000000000001', 'ffffffffffffffff', '20000000000001', '1\t'],
    (size) => chunked(`${size}\r\nx\r\n0\r\n\r\n`),
  ),
  bad('P1 P2 B-127', 'chunk size line ended by LF', chunked('1\nx\r\n0\r\n\r\n')),
  bad('P1 P2 B-127', 'chunk size line ended by CR', chunked('1\rx\r\n0\r\n\r\n')),
  bad('P1 P2 B-127', 'chunk data ended by LF', chunked('1\r\nx\n0\r\n\r\n')),
  bad('P1 P2 B-127', 'last chunk ended by LF', chunked('1\r\nx\r\n0\n\r\n')),
  bad('P1 P2 B-127', 'trailer section ended by LF', chunked('1\r\nx\r\n0\r\n\n')),
  bad('P1 P2 B-127', 'trailer ended by LF', chunked('1\r\nx\r\n0\r\nX: y\n\r\n')),
  ...each(
    'P32 B-128',
    'chunk extension',
    [';', ';=b', ';a="x', ';\0a', ';a\n', ';[', ';a=', ';a=b;', ';a="x"y', ';a b', ';;a', ';a=\rb'],
    (extension) => chunked(`1${extension}\r\nx\r\n0\r\n\r\n`),
  ),
  ...[';a=b', ' ; a = "q"', ';a', ';a;b=c', ';a="\\""', '\t;\ta'].map((extension) =>
    good('P32 B-129', `extension ${extension}`, chunked(`1${extension}\r\nx\r\n0${extension}\r\n\r\n`), (requests) => {
      hasBody('x')(requests);
    }),
  ),
  bad('P10 B-130', '5000 bytes of extension', chunked(`1;${'a'.repeat(5000)}\r\nx\r\n0\r\n\r\n`)),
  bad('P10 B-130', 'extensions of many chunks', chunked(`${`1;${'a'.repeat(500)}\r\nx\r\n`.repeat(10)}0\r\n\r\n`)),
  bad('P31 B-131', 'chunk data too long', chunked('1\r\nxx\r\n0\r\n\r\n')),
  bad('P31 B-131', 'no CRLF after chunk data', chunked('1\r\nx0\r\n\r\n')),
  bad('P31 B-131', 'XX after chunk data', chunked('1\r\nxXX0\r\n\r\n')),
  bad('P9 B-132', 'a trailer that is a request', chunked('0\r\nX:POST / HTTP/1.1\r\nHost : b\r\n\r\n')),
  bad('P37 B-133', 'Content-Length in trailers', chunked('0\r\nContent-Length: 5\r\n\r\n')),
  bad('P37 B-133', 'Transfer-Encoding in trailers', chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n')),
  good('P37 B-133', 'other trailers', chunked('1\r\nx\r\n0\r\nHost: b\r\nAuthorization: c\r\nX-Sum: d\r\n\r\n'), (requests) => {
    hasBody('x')(requests);
    expect(requests[0]?.trailers.map(([name]) => name.toLowerCase())).not.toEqual(expect.arrayContaining(['host', 'authorization']));
    expect(values(requests[0] ?? { fields: [] }, 'x-sum')).toEqual([]);
  }),
  bad('P10 B-134', '1000 trailers', chunked(`0\r\n${fields(1000)}\r\n`), 431),
  bad('P10 B-134', '33 trailers', chunked(`0\r\n${fields(33)}\r\n`), 431),
  bad('P10 B-134', 'a trailer of 9000 bytes', chunked(`0\r\nX: ${'a'.repeat(9000)}\r\n\r\n`), 431),
  good('P13 B-135', 'HTTP/1.2', line('GET / HTTP/1.2'), ([request]) => {
    expect(request?.version).toBe('1.1');
  }),
  good('P13 B-135', 'HTTP/1.9', line('GET / HTTP/1.9')),
  bad('P13 B-136', 'HTTP/2.0', line('GET / HTTP/2.0'), 505),
  bad('P13 B-136', 'HTTP/3.0', line('GET / HTTP/3.0'), 505),
  bad('P13 B-136', 'HTTP/0.9', line('GET / HTTP/0.9'), 505),
  bad('P13 B-137', 'the HTTP/0.9 form', 'GET /\r\n\r\n'),
  ...each(
    'P13 B-138',
    'version',
    [
      'HTTP/1',
      'HTTP/01.1',
      'http/1.1',
      'HTTP/1.1 ',
      'HTTP/1.10',
      'HTTP/1,1',
      'HTTP/1.',
      'HTTP /1.1',
      'HTTP/1.1\t',
      'XTTP/1.1',
      'HTTP/1.1 x',
    ],
    (version) => line(`GET / ${version}`),
  ),
  ...each(
    'P12 B-139',
    'request line',
    [
      'GET  / HTTP/1.1',
      'GET /  HTTP/1.1',
      'GET\t/ HTTP/1.1',
      'GET /\tHTTP/1.1',
      ' GET / HTTP/1.1',
      '\tGET / HTTP/1.1',
      'GET HTTP/1.1',
      'GET',
      'GET / x HTTP/1.1',
      'GE(T / HTTP/1.1',
      'GET / \xa0HTTP/1.1',
    ],
    line,
  ),
  ...each('P18 B-140', 'target', ['foo', '*', 'a:80', '?', '.', ''], (target) => line(`GET ${target} HTTP/1.1`)),
  {
    id: 'P18 B-141',
    is: 'OPTIONS *',
    bytes: line('OPTIONS * HTTP/1.1'),
    answers: [204],
    closes: false,
    upstream: (requests) => expect(requests).toEqual([]),
  },
  bad('P18 B-142', 'OPTIONS */x', line('OPTIONS */x HTTP/1.1')),
  ...each('P19 B-143', 'target', ['/a#b', '/a\\b', '/\xe9', '/%zz', '/%00', '/%', '/%4', '/a?%zz', '/a\0b', '/a\x7fb', '/?a#'], (target) =>
    line(`GET ${target} HTTP/1.1`),
  ),
  ...each('P20 B-145', 'above the root', ['/../../x', '/..', '/a/../..', '/%2e%2e/x', '/.%2e/', '/a/../../', '/./../a'], (target) =>
    line(`GET ${target} HTTP/1.1`),
  ),
  good('P16 B-146', 'method FOO', line('FOO / HTTP/1.1'), ([request]) => {
    expect(request?.method).toBe('FOO');
  }),
  bad('P16 B-146', 'a method of 33 bytes', line(`${'M'.repeat(33)} / HTTP/1.1`), 501),
  good('P16 B-146', 'a method of 32 bytes', line(`${'M'.repeat(32)} / HTTP/1.1`)),
  bad('P22 B-147', 'CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n', 405),
  bad('P22 B-147', 'CONNECT /', line('CONNECT / HTTP/1.1')),
  bad('P22 P23 B-148', 'TRACE', line('TRACE / HTTP/1.1'), 405),
  bad('P22 P23 B-148', 'TRACE with Max-Forwards 0', 'TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n', 405),
  bad('P22 P23 B-148', 'OPTIONS with Max-Forwards x', 'OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n'),
  bad('P22 P23 B-148', 'OPTIONS with two Max-Forwards', 'OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\nMax-Forwards: x\r\n\r\n'),
  bad('P48 B-149', 'an unknown expectation', get('Expect: foo\r\n'), 417),
  bad(
    'P48 B-149',
    'one known and one unknown expectation',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue, foo\r\n\r\nx',
    417,
  ),
  {
    id: 'P48 B-149',
    is: 'Expect in HTTP/1.0',
    bytes: 'POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx',
    answers: [200],
    closes: true,
  },
  good('P48 B-149', 'Expect without a body', get('Expect: 100-continue\r\n'), ([request]) => {
    expect(values(request ?? { fields: [] }, 'expect')).toEqual([]);
  }),
  good('P10 B-150', '128 fields', get(fields(127))),
  bad('P10 B-150', '129 fields', get(fields(128)), 431),
  bad(
    'P10 B-150',
    '3001 fields with a late Content-Length',
    `POST / HTTP/1.1\r\nHost: a\r\n${fields(3000)}Content-Length: 3\r\n\r\nabc`,
    431,
  ),
  good('P10 B-151', 'a field of 17 KiB', get(`X: ${'a'.repeat(17_000)}\r\n`)),
  bad('P10 B-151', 'a field of 33 KiB', get(`X: ${'a'.repeat(33_000)}\r\n`), 431),
  bad('P10 B-151', 'a field of 100 KiB', get(`X: ${'a'.repeat(100_000)}\r\n`), 431),
  bad('P10 B-151', 'a target of 9 KiB', line(`GET /${'a'.repeat(9000)} HTTP/1.1`), 414),
  bad('P10 B-151', 'a line of 100 KiB', line(`GET /${'a'.repeat(100_000)} HTTP/1.1`), 414),
  ...each(
    'P39 B-152',
    'Connection',
    ['X-Forwarded-For, Host', 'content-length', 'transfer-encoding', 'Cookie', 'close, authorization', 'a b', '"x"'],
    (value) => get(`Connection: ${value}\r\nX: y\r\n`),
  ),
  {
    id: 'P38 B-153',
    is: 'Connection names a field',
    bytes: get('Foo: 1\r\nConnection: close, foo\r\nBar: 2\r\n'),
    answers: [200],
    closes: true,
    upstream: ([request]) => {
      expect(values(request ?? { fields: [] }, 'foo')).toEqual([]);
      expect(values(request ?? { fields: [] }, 'bar')).toEqual(['2']);
      expect(values(request ?? { fields: [] }, 'connection')).toEqual([]);
    },
  },
  good(
    'P41 B-154',
    'a client that says who it is',
    get(
      'X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Host: evil\r\n',
    ),
    ([request]) => {
      expect(request?.head).not.toMatch(/6\.6\.6\.6|evil/);
      expect(values(request ?? { fields: [] }, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    },
  ),
  good('B-155', 'Upgrade without the connection option', get('Upgrade: websocket\r\n'), ([request]) => {
    expect(values(request ?? { fields: [] }, 'upgrade')).toEqual([]);
    expect(values(request ?? { fields: [] }, 'connection')).toEqual([]);
  }),
  good('B-156', 'Upgrade to what is not on the list', get('Upgrade: foo\r\nConnection: Upgrade\r\n'), ([request]) => {
    expect(values(request ?? { fields: [] }, 'upgrade')).toEqual([]);
    expect(values(request ?? { fields: [] }, 'connection')).toEqual([]);
  }),
  good(
    'B-157',
    'Upgrade to h2c',
    get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n'),
    ([request]) => {
      expect(request?.head).not.toMatch(/upgrade|http2-settings/i);
    },
  ),
  bad('P12 B-159', 'a preface of another HTTP/2', 'PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n'),
  bad('P12 B-159', 'a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  bad('P12 B-159', 'binary', '\x00\x01\x02\x03\r\n\r\n'),
  bad('P5', 'five empty lines', `\r\n\r\n\r\n\r\n\r\n${line('GET / HTTP/1.1')}`),
  good('P5', 'four empty lines', `\r\n\r\n\r\n\r\n${line('GET / HTTP/1.1')}`),
  bad('P2', 'CR before the request', `\r${line('GET / HTTP/1.1')}`),
  { id: 'P61 B-162', is: 'junk after Connection: close', bytes: `${get('Connection: close\r\n')}\0junk`, answers: [200], closes: true },
  good('B-163', 'names of object members', get('__proto__: 1\r\nconstructor: 2\r\ntoString: 3\r\n'), ([request]) => {
    expect(values(request ?? { fields: [] }, 'constructor')).toEqual(['2']);
    expect(values(request ?? { fields: [] }, 'tostring')).toEqual(['3']);
  }),
  good('B-164', 'a cookie of 4096 pairs', get(`Cookie: ${'a=b;'.repeat(4096)}"\r\n`)),
];

const random = seededRandom(2);
const cutsOf = (bytes: string): readonly (readonly [string, Cut])[] => [
  ['one write', 'whole'],
  // Octet by octet where it ends; the middle of a long run says nothing new.
  [
    'octets',
    bytes.length <= 2000 ? 'octets' : Array.from({ length: 1500 }, (_, index) => (index < 500 ? index : bytes.length - 1500 + index)),
  ],
  ['random cuts', randomCut(random, bytes.length, 3)],
];

describe.each(ROWS.map((row, index) => ({ ...row, name: `${row.id} #${index} ${row.is}` })))('$name', (row) => {
  const closes = row.closes ?? row.answers.some((status) => status >= 400);
  const bytes = closes ? row.bytes + SMUGGLED : row.bytes;

  test.each(cutsOf(bytes))('%s', async (_name, cut) => {
    const started = await rig();
    const client = await started.sent(bytes, cut);
    if (closes) {
      const answers = await client.untilServerCloses();
      expect(answers.map((answer) => answer.status)).toEqual(row.answers);
      expect(values(answers.at(-1) ?? { fields: [] }, 'connection')).toEqual(['close']);
    } else {
      for (const status of row.answers) expect((await client.response()).status).toBe(status);
      // The connection is in step: the next request on it is answered as itself.
      expect((await client.ask(get('', '/next'))).status).toBe(200);
    }
    const requests = started.upstream.requests;
    expect(started.upstream.text).not.toContain('smuggled');
    expect(requests).toHaveLength(row.answers.filter((status) => status === 200).length + (closes ? 0 : 1));
    row.upstream?.(closes ? requests : requests.slice(0, -1));
  });
});
