/** Properties of the request codec that hold whatever the bytes; the rules one by one are in test/wire. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Scan } from './head.ts';
import { RequestHead, isAuthority } from './request-head.ts';
import { FieldKind, fieldKind } from './field-kind.ts';

interface Outcome {
  readonly scan: Scan;
  readonly code: string | undefined;
  readonly request: Readonly<Record<string, unknown>> | undefined;
}

/** What the head says; after the last piece. Bytes move to a new buffer with each piece, as they do in the proxy. */
function outcome(bytes: Buffer, cuts: readonly number[] = []): Outcome {
  const head = new RequestHead();
  const ends = [...cuts.filter((cut) => cut > 0 && cut < bytes.length).sort((a, b) => a - b), bytes.length];
  head.reset(bytes, 0);
  let scan: Scan = Scan.more;
  for (const end of ends) {
    // Behind what has come there is something else: reading on must show.
    head.bytes = Buffer.concat([bytes.subarray(0, end), Buffer.from('\r\n\r\n: \0')]);
    scan = head.scan(end);
    if (scan !== Scan.more) break;
  }
  const fields = Array.from({ length: head.fieldCount }, (_, field) => [head.name(field), head.value(field), head.kind(field)]);
  return {
    scan,
    code: scan === Scan.refused ? `${head.error?.status} ${head.error?.code}` : undefined,
    request:
      scan === Scan.done
        ? {
            method: head.method,
            target: head.target,
            path: head.bytes.toString('latin1', head.targetStart, head.queryStart),
            minor: head.minor,
            fields,
            end: head.end,
            contentLength: head.contentLength,
            isChunked: head.isChunked,
            closes: head.closes,
          }
        : undefined,
  };
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

const GOOD = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  '\r\n\r\nPOST /a.b/%41?c=%20 HTTP/1.0\r\nhost:a.example:80\r\nContent-Length:  12 \r\nX-Empty:\r\nX:\t y z \t\r\n\r\nrest',
  'OPTIONS * HTTP/1.9\r\nHost: [::1]:1\r\nConnection: close, x\r\nTE: trailers\r\nVia: x\r\nX_Y: z\r\nExpect: 100-continue\r\n\r\n',
  'PUT http://a/b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\nX-Request-Id: 1\r\nMax-Forwards: 2\r\n\r\n0\r\n\r\n',
];
const BAD = [
  'GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n',
  'GET  / HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET / HTTP/1.1 \r\nHost: a\r\n\r\n',
  'GET /\r\n\r\n',
  'GET /# HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET / HTTP/2.0\r\nHost: a\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  '\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET / HTTP/1.1\n\n',
  '\x16\x03\x01\x00',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  `${'M'.repeat(40)} / HTTP/1.1\r\nHost: a\r\n\r\n`,
  'GET / HTTP/1.1\r\n\r\n\r\n',
];

describe('[P11] the pieces do not matter', () => {
  test.each([...GOOD, ...BAD])('%j, cut at every offset', (text) => {
    const bytes = latin1(text);
    const whole = outcome(bytes);
    expect(whole.scan).toBe(GOOD.includes(text) ? Scan.done : Scan.refused);
    for (let cut = 1; cut < bytes.length; cut++) expect(outcome(bytes, [cut])).toEqual(whole);
    expect(
      outcome(
        bytes,
        Array.from({ length: bytes.length }, (_, index) => index),
      ),
    ).toEqual(whole);
  });

  test.each([
    [
      'a field section',
      (extra: number) => `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(32_768 - 'Host: a\r\nX: \r\n\r\n'.length + extra)}\r\n\r\n`,
      '431 header_section_too_large',
    ],
    [
      'a request line',
      (extra: number) => `GET /${'x'.repeat(8192 - 'GET / HTTP/1.1\r\n'.length + extra)} HTTP/1.1\r\nHost: a\r\n\r\n`,
      '414 request_line_too_long',
    ],
    ['fields', (extra: number) => `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(127 + extra)}\r\n`, '431 too_many_fields'],
    ['a method', (extra: number) => `${'M'.repeat(32 + extra)} / HTTP/1.1\r\nHost: a\r\n\r\n`, '501 method_too_long'],
  ] as const)('[P10] %s: the limit is met, one more is refused, wherever it is cut', (_name, make, code) => {
    for (const [extra, expected] of [
      [0, undefined],
      [1, code],
    ] as const) {
      const bytes = latin1(make(extra));
      const whole = outcome(bytes);
      expect(whole.code).toBe(expected);
      const near = [
        8180,
        8191,
        8192,
        8193,
        8194,
        32_770,
        32_780,
        32_783,
        32_784,
        32_785,
        32_786,
        32_787,
        bytes.length - 5,
        bytes.length - 3,
        bytes.length - 2,
        bytes.length - 1,
      ];
      for (const cut of near) expect(outcome(bytes, [cut])).toEqual(whole);
      expect(outcome(bytes, near)).toEqual(whole);
    }
  });

  const cuts = fc.array(fc.nat({ max: 200 }), { maxLength: 8 });

  test('of random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), cuts, (bytes, at) => {
        expect(outcome(Buffer.from(bytes), at)).toEqual(outcome(Buffer.from(bytes)));
      }),
      { numRuns: 2000 },
    );
  });

  test('of requests with a few octets changed, put in or taken out', () => {
    const mutation = fc.record({
      at: fc.nat({ max: 200 }),
      octet: fc.constantFrom(...latin1('\r\n\t \0:;,=_/?#%.A0\x7f\x80\xff')),
      way: fc.constantFrom('change', 'insert', 'remove'),
    });
    fc.assert(
      fc.property(fc.constantFrom(...GOOD), fc.array(mutation, { minLength: 1, maxLength: 3 }), cuts, (text, mutations, at) => {
        const octets = [...latin1(text)];
        for (const { at: position, octet, way } of mutations)
          octets.splice(position % octets.length, way === 'insert' ? 0 : 1, ...(way === 'remove' ? [] : [octet]));
        const bytes = Buffer.from(octets);
        expect(outcome(bytes, at)).toEqual(outcome(bytes));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a valid request is read as what it is', () => {
  const tokenText = fc.string({ unit: fc.constantFrom(..."!#$%&'*+-.^_`|~0123456789abcXYZ".split('')), minLength: 1, maxLength: 12 });
  const value = fc
    .array(
      fc.integer({ min: 0x20, max: 0xff }).filter((octet) => octet !== 0x7f),
      { maxLength: 20 },
    )
    .map((octets) =>
      Buffer.from(octets)
        .toString('latin1')
        .replace(/^[ \t]+|[ \t]+$/g, ''),
    );
  const space = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 });
  const field = fc
    .record({ name: tokenText, value, before: space, after: space })
    .filter(({ name }) => fieldKind(latin1(name), 0, name.length) === FieldKind.plain);
  const target = fc.string({ unit: fc.constantFrom(..."abcXYZ019-._~!$&'()*+,;=:@/?".split('')), maxLength: 30 }).map((text) => `/${text}`);

  test('method, target, fields and end', () => {
    fc.assert(
      fc.property(
        tokenText,
        target,
        fc.array(field, { maxLength: 10 }),
        fc.constantFrom(0, 1, 2),
        fc.nat({ max: 4 }),
        (method, at, fields, minor, emptyLines) => {
          const lines = fields.map((one) => `${one.name}:${one.before}${one.value}${one.after}\r\n`).join('');
          const text = `${'\r\n'.repeat(emptyLines)}${method} ${at} HTTP/1.${minor}\r\nHost: a.example\r\n${lines}\r\n`;
          const { scan, request } = outcome(latin1(`${text}GET /next`));
          expect(scan).toBe(Scan.done);
          expect(request).toMatchObject({ method, target: at, path: at.replace(/\?.*/s, ''), minor, end: text.length });
          const kinds = fields.map((one) => (one.name.includes('_') ? FieldKind.underscore : FieldKind.plain));
          expect(request?.['fields']).toEqual([
            ['Host', 'a.example', FieldKind.host],
            ...fields.map((one, index) => [one.name, one.value, kinds[index]]),
          ]);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('values of one name are joined with a comma, whatever its letter case', () => {
    const head = new RequestHead();
    const bytes = latin1('GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a:\r\nX-B: 3\r\nX-a: 2\r\n\r\n');
    head.reset(bytes, 0);
    head.scan(bytes.length);
    expect([head.joined('x-a'), head.joined('x-b'), head.joined('x-c')]).toEqual(['1,,2', '3', undefined]);
  });
});

test.each([
  ['a', true],
  ['a:1', true],
  ['a:65535', true],
  ['a.b-c_d~', true],
  ['[::1]', true],
  ['[::ffff:1.2.3.4]:80', true],
  ['1.2.3.4', true],
  ['', false],
  [':80', false],
  ['a:', false],
  ['a:0', false],
  ['a:65536', false],
  ['a:080000', false],
  ['a:8a', false],
  ['a b', false],
  ['a,b', false],
  ['a/b', false],
  ['u@a', false],
  ['[::1', false],
  ['[]', false],
  ['[::1]a', false],
  ['[g::1]', false],
  ['::1', false],
  ['a?b', false],
  ['a#b', false],
  ['a\\b', false],
  ['\xe9', false],
])('[P15] authority %j: %s', (text, expected) => {
  expect(isAuthority(latin1(text), 0, text.length)).toBe(expected);
});
