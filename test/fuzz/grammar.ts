/**
 * Requests and responses as a fuzzer wants them: mostly well-formed, with faults of the kinds that have split proxies from servers before
 * (framing, line ends, names, targets), and then a few octets changed. Everything is drawn from one seeded stream.
 */
import type { Random } from '../../src/base/random.ts';

const pick = <Item>(random: Random, items: readonly Item[]): Item => {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
};
const chance = (random: Random, probability: number): boolean => random() < probability;
const below = (random: Random, limit: number): number => Math.floor(random() * limit);

/** No HEAD: whoever reads the answers would have to know which belongs to it. */
const METHODS = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'FOO',
  'TRACE',
  'CONNECT',
  'get',
  'GE T',
  'G\0T',
  'PRI',
];
const TARGETS = [
  '/',
  '/a',
  '/a?b=c',
  '/a/../admin',
  '/%61dmin',
  '/admin',
  '//admin',
  '/a/%2e%2e/admin',
  '/a%2f..%2fadmin',
  '/a;/../admin',
  '/../x',
  '/a#b',
  '/a\\b',
  '/%',
  '/%00',
  '*',
  'http://a/b',
  'http://u@a/',
  'a:80',
  '/a b',
  '/\xe9',
  '',
  '/a??',
  '/./',
];
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.5',
  'HTTP/2.0',
  'HTTP/1.10',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/0.9',
  '',
];
const LINE_ENDS = ['\n', '\r', '\r\r\n', '\n\r\n', '\r\n\r\n', ''];
const LENGTHS = ['0', '5', '05', '5', '10', '+5', '-1', '5, 5', '0x5', '', ' ', '5 ', '9007199254740993', '1e1', '5;'];
const CODINGS = [
  'chunked',
  'chunked',
  'chunked',
  'Chunked',
  ' chunked',
  'chunked ',
  'chunked,',
  ',chunked',
  'gzip, chunked',
  'chunked, chunked',
  'xchunked',
  'identity',
  '\x0bchunked',
  'chunked;q=1',
  '"chunked"',
  'chunked, gzip',
];
const NAMES = [
  'X-A',
  'Host',
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'Expect',
  'TE',
  'Via',
  'X_Y',
  'X-Forwarded-For',
  'Upgrade',
  'Trailer',
  'Cookie',
  'Max-Forwards',
  'X-Request-Id',
  '__proto__',
  '',
  'X A',
  'X:',
  'Content-Length ',
  ' Content-Length',
  'Transfer\xadEncoding',
  'Transfer_Encoding',
  'X-Serin-Route',
];
const VALUES = [
  '',
  'a',
  'a, b',
  '\ta\t',
  'a\0b',
  'a\rb',
  'a\nb',
  'close',
  'keep-alive',
  'x-a, close',
  'host',
  '100-continue',
  'trailers',
  '5',
  'chunked',
  '\x80\xff',
  'a\r\n b',
  'a\r\n\tb',
  'websocket',
  'a'.repeat(300),
];
const CHUNK_SIZES = [
  '5',
  '05',
  '5;a=b',
  '5 ;a',
  '5;',
  '+5',
  '0x5',
  '',
  ' 5',
  '5 ',
  'G',
  '00000000000000005',
  '5;a="\\""',
  '5;a="',
  '6',
  '4',
];

/** The body of a request that is data, whatever it looks like. */
const BODIES = ['hello', 'GET /', '0\r\n\r\n', '\r\n\r\n\r'];

function fieldLine(random: Random): string {
  const end = chance(random, 0.03) ? pick(random, LINE_ENDS) : '\r\n';
  return `${pick(random, NAMES)}${chance(random, 0.03) ? pick(random, ['', ' :', '\t:']) : ':'}${pick(random, [' ', ' ', '', '\t'])}${pick(random, VALUES)}${end}`;
}

function chunkedBody(random: Random): string {
  let body = '';
  for (let count = below(random, 3); count > 0; count--) {
    const size = chance(random, 0.15) ? pick(random, CHUNK_SIZES) : '5';
    body += `${size}${chance(random, 0.05) ? pick(random, LINE_ENDS) : '\r\n'}hello${chance(random, 0.05) ? pick(random, LINE_ENDS) : '\r\n'}`;
  }
  const last = chance(random, 0.1) ? pick(random, ['', '00', '0;a', '0 ', '-0', '0\n']) : '0';
  return `${body}${last}\r\n${chance(random, 0.2) ? fieldLine(random) : ''}${chance(random, 0.05) ? pick(random, LINE_ENDS) : '\r\n'}`;
}

/** One message body and the lines that frame it, or claim to. */
function framed(random: Random): readonly [lines: string, body: string] {
  switch (below(random, 6)) {
    case 0:
      return [`Content-Length: ${pick(random, LENGTHS)}\r\n`, pick(random, BODIES)];
    case 1:
      return ['Content-Length: 5\r\n', 'hello'];
    case 2:
      return [`Transfer-Encoding: ${pick(random, CODINGS)}\r\n`, chunkedBody(random)];
    case 3:
      return ['Transfer-Encoding: chunked\r\n', chunkedBody(random)];
    case 4:
      return chance(random, 0.3) ? ['Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', chunkedBody(random)] : ['', ''];
    default:
      return ['', ''];
  }
}

function request(random: Random): string {
  const spaces = (): string => (chance(random, 0.02) ? pick(random, ['  ', '\t', '']) : ' ');
  const mostly = <Item>(items: readonly Item[], share: number): Item =>
    chance(random, share) ? pick(random, items) : (items[0] ?? pick(random, items));
  const [lines, body] = framed(random);
  const fields = Array.from({ length: below(random, 4) }, () =>
    chance(random, 0.75) ? `X-A: ${below(random, 100)}\r\n` : fieldLine(random),
  );
  fields.splice(below(random, fields.length + 1), 0, lines);
  if (!chance(random, 0.04))
    fields.splice(below(random, fields.length + 1), 0, `Host: ${mostly(['a', 'a:80', 'b', 'a,b', 'a b', '', '[::1]', 'a/b'], 0.15)}\r\n`);
  const start = chance(random, 0.05) ? '\r\n'.repeat(below(random, 6)) : '';
  return `${start}${mostly(METHODS, 0.35)}${spaces()}${mostly(TARGETS, 0.4)}${spaces()}${mostly(VERSIONS, 0.12)}\r\n${fields.join('')}\r\n${body}`;
}

/** A few octets changed, taken out, put in or doubled; in half of the cases none. */
export function mutate(random: Random, text: string): string {
  if (chance(random, 0.5)) return text;
  let mutated = text;
  for (let count = 1 + below(random, 3); count > 0; count--) {
    const at = below(random, mutated.length + 1);
    const octet = pick(random, ['\r', '\n', '\r\n', '\0', ' ', '\t', ':', ',', ';', '0', 'a', '\x7f', '\xff', '/', '.', '%', '#', '_']);
    switch (below(random, 4)) {
      case 0:
        mutated = mutated.slice(0, at) + octet + mutated.slice(at + 1);
        break;
      case 1:
        mutated = mutated.slice(0, at) + mutated.slice(at + 1);
        break;
      case 2:
        mutated = mutated.slice(0, at) + octet + mutated.slice(at);
        break;
      default:
        mutated = mutated.slice(0, at) + mutated.slice(at, at + below(random, 12)).repeat(2) + mutated.slice(at);
    }
  }
  return mutated;
}

/** One to three requests on one connection. */
export function requests(random: Random): string {
  return mutate(random, Array.from({ length: 1 + below(random, 3) }, () => request(random)).join(''));
}

const STATUS_LINES = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 404',
  'HTTP/1.1 101 Switching Protocols',
  'HTTP/1.1 99 x',
  'HTTP/2 200',
  'HTTP/1.1 200',
  'HTTP/1.1 500 \xff',
];

/** What an upstream may answer to one request. */
export function response(random: Random): string {
  const interim = chance(random, 0.15)
    ? `HTTP/1.1 ${pick(random, ['100 Continue', '103 Early Hints', '102 x'])}\r\n${chance(random, 0.3) ? fieldLine(random) : ''}\r\n`
    : '';
  const [lines, body] = framed(random);
  const fields = Array.from({ length: below(random, 4) }, () => fieldLine(random));
  fields.splice(below(random, fields.length + 1), 0, lines);
  const status = chance(random, 0.3) ? pick(random, STATUS_LINES) : 'HTTP/1.1 200 OK';
  const surplus = chance(random, 0.1) ? 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil' : '';
  return mutate(random, `${interim}${status}\r\n${fields.join('')}\r\n${body}${surplus}`);
}
