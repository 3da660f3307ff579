/**
 * Other readers of HTTP/1.1 beside ours: what Serin accepts, they must understand alike, or refuse. Two readings of one message are how requests
 * are smuggled.
 *
 * Where they refuse what Serin accepts, the reason is one of those listed here; everything else is a difference nobody intended.
 */
import { METHODS, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import fc from 'fast-check';
import { HTTPParser } from 'http-parser-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BodyReader } from './body-reader.ts';
import { Scan } from './head.ts';
import { RequestHead } from './request-head.ts';

interface Reading {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly body: string;
}

/** The first message, and its bytes. */
function serinReads(bytes: Buffer): { readonly reading: Reading; readonly message: Buffer } | undefined {
  const head = new RequestHead();
  head.reset(bytes, 0);
  if (head.scan(bytes.length) !== Scan.done) return undefined;
  const reader = new BodyReader('request');
  reader.begin(head.isChunked ? 'chunked' : head.contentLength > 0 ? 'length' : 'none', head.contentLength);
  let body = '';
  let at = head.end;
  while (!reader.isDone && reader.error === undefined && at < bytes.length) {
    at = reader.take(bytes, at, bytes.length);
    body += bytes.toString('latin1', reader.dataStart, reader.dataEnd);
  }
  if (!reader.isDone) return undefined;
  const fields = Array.from({ length: head.fieldCount }, (_, field) => [head.name(field), head.value(field)] as const);
  return { reading: { method: head.method, target: head.target, fields, body }, message: bytes.subarray(0, at) };
}

function pairs(raw: readonly string[]): readonly (readonly [string, string])[] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [raw[index * 2] ?? '', raw[index * 2 + 1] ?? ''] as const);
}

/** The first message of the bytes, or why it is refused. */
function parserJsReads(bytes: Buffer): Reading | string {
  const parser = new HTTPParser('REQUEST');
  let reading: Reading | undefined;
  let body = '';
  let head: Omit<Reading, 'body'> | undefined;
  parser[HTTPParser.kOnHeadersComplete] = (info) => {
    head ??= { method: HTTPParser.methods[info.method] ?? '', target: info.url, fields: pairs(info.headers) };
  };
  parser[HTTPParser.kOnBody] = (chunk, offset, length) => {
    if (reading === undefined) body += chunk.toString('latin1', offset, offset + length);
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (head !== undefined) reading ??= { ...head, body };
  };
  const result = parser.execute(bytes);
  if (reading !== undefined) return reading;
  return result instanceof Error ? result.message : 'incomplete';
}

const server = createServer({ maxHeaderSize: 65_536, keepAliveTimeout: 1 }, (request, response) => {
  let body = '';
  request.setEncoding('latin1');
  request.on('data', (text: string) => (body += text));
  request.on('end', () => {
    const reading: Reading = { method: request.method ?? '', target: request.url ?? '', fields: pairs(request.rawHeaders), body };
    response.setHeader('connection', 'close');
    // As a field: HEAD has no body.
    response.setHeader('x-reading', encodeURIComponent(JSON.stringify(reading)));
    response.end();
  });
});
// An expectation and an upgrade are requests like any other here.
server.on('checkContinue', (request, response) => server.emit('request', request, response));
server.on('checkExpectation', (request, response) => server.emit('request', request, response));
server.on('clientError', (error: NodeJS.ErrnoException, socket) => socket.end(`refused ${error.code}`));
server.maxHeadersCount = 0;

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => server.close());

/** A connection that is closed without a word was reset on its way more likely than refused: it is asked again. */
async function nodeReads(bytes: Buffer): Promise<Reading | string> {
  for (let attempt = 1; ; attempt++) {
    const reading = await askNode(bytes);
    if (reading !== 'closed' || attempt === 3) return reading;
  }
}

function askNode(bytes: Buffer): Promise<Reading | string> {
  return new Promise((resolve) => {
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (more: string) => (text += more));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const reading = /x-reading: (.*)\r\n/.exec(text)?.[1];
      resolve(reading === undefined ? text.split('\r\n', 1)[0] || 'closed' : (JSON.parse(decodeURIComponent(reading)) as Reading));
    });
    socket.end(bytes);
  });
}

/** What they refuse and Serin takes, on purpose, besides methods they do not know (RFC 9110 §9.1: any token is one) and HTTP/1.2 to 1.9 (§2.5). */
const INTENDED: readonly { readonly refusal: RegExp; readonly message: RegExp }[] = [
  // Which of the four forms a target has is not the head's business; the proxy refuses what is none of them.
  { refusal: /^refused HPE_INVALID_URL$/, message: /^/ },
  // Space around the `;` and `=` of a chunk extension, which RFC 9112 §7.1.1 lets a recipient read over; the extension goes no further.
  { refusal: /^refused HPE_(?:INVALID_CHUNK_SIZE|STRICT)$/, message: /\r\n[0-9A-Fa-f]+(?=[^\r\n]*[ \t])[ \t]*;[^\r\n]*\r\n/ },
];

/** http-parser-js reads heads as ASCII: the eighth bit is not looked at. */
function sevenBit(reading: Reading): Reading {
  const cut = (text: string): string => Buffer.from(text, 'latin1').toString('ascii');
  return { ...reading, fields: reading.fields.map(([name, value]) => [name, cut(value)] as const) };
}

function agree(ours: Reading, theirs: Reading | string, bytes: Buffer): void {
  const isBeyondThem = !METHODS.includes(ours.method) || /^[^\n]* HTTP\/1\.[2-9]\r$/m.test(bytes.toString('latin1'));
  if (typeof theirs === 'string') {
    if (isBeyondThem) return;
    expect(
      INTENDED.some(({ refusal, message }) => refusal.test(theirs) && message.test(bytes.toString('latin1'))),
      `they refuse: ${theirs}; ours: ${JSON.stringify(ours)}`,
    ).toBe(true);
  } else {
    expect(theirs).toEqual(ours);
  }
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

const CORPUS = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /a?b=c HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello',
  'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n',
  'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 ;a = b\r\n!\r\n2;\tc\r\n!!\r\n0\r\n\r\n',
  'PUT /a HTTP/1.1\r\nhost:a\r\nX:\r\nX-Y: \t z \t\r\nContent-Length: 003\r\n\r\nabc',
  'HEAD /%41/../b;c HTTP/1.0\r\nHost: a\r\nX: \xe4\xf6\r\n\r\n',
  'GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n',
  'DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxx',
  '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\nX-Long: y, z\r\nx-long: 2\r\n\r\n',
];

const ALPHABET = [...latin1('\r\n\t :;,=_/?#%.A0f\x00\x0b\x7f\x80\xff"-+x')];
const mutated = fc
  .record({
    text: fc.constantFrom(...CORPUS),
    changes: fc.array(
      fc.record({ at: fc.nat(), octet: fc.constantFrom(...ALPHABET), way: fc.constantFrom('change', 'insert', 'remove', 'repeat') }),
      { minLength: 1, maxLength: 3 },
    ),
  })
  .map(({ text, changes }) => {
    const octets = [...latin1(text)];
    for (const { at, octet, way } of changes) {
      const position = at % octets.length;
      if (way === 'change') octets[position] = octet;
      else if (way === 'remove') octets.splice(position, 1);
      else octets.splice(position, 0, way === 'insert' ? octet : (octets[position] ?? octet));
    }
    return Buffer.from(octets);
  });

describe('[P11] [F-39] what Serin accepts', () => {
  test.each(CORPUS)('others read alike: %j', async (text) => {
    const bytes = latin1(text);
    const ours = serinReads(bytes);
    expect(ours).toBeDefined();
    if (ours === undefined) return;
    agree(ours.reading, await nodeReads(ours.message), ours.message);
    agree(sevenBit(ours.reading), parserJsReads(ours.message), ours.message);
  });

  test('http-parser-js reads alike, mutations too', () => {
    let accepted = 0;
    fc.assert(
      fc.property(mutated, (bytes) => {
        const ours = serinReads(bytes);
        if (ours === undefined) return;
        accepted++;
        agree(sevenBit(ours.reading), parserJsReads(ours.message), ours.message);
      }),
      { numRuns: 5000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  test('node:http reads alike, mutations too', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(mutated, async (bytes) => {
        const ours = serinReads(bytes);
        if (ours === undefined) return;
        accepted++;
        agree(ours.reading, await nodeReads(ours.message), ours.message);
      }),
      { numRuns: 1500 },
    );
    expect(accepted).toBeGreaterThan(150);
  });
});
