/** The chunked coding: what was put in comes out, in any pieces; what is broken is told, in any pieces. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkedDecoder, isForwardableTrailer } from './chunked.ts';

interface Outcome {
  readonly body: string;
  readonly isDone: boolean;
  readonly error: string | undefined;
  readonly trailers: readonly (readonly [string, string])[];
  /** Bytes left after the end of the body. */
  readonly rest: string;
}

function decode(bytes: Buffer, cuts: readonly number[] = [], side: 'request' | 'response' = 'request'): Outcome {
  const decoder = new ChunkedDecoder(side);
  const bounds = [0, ...cuts.filter((cut) => cut > 0 && cut < bytes.length).sort((a, b) => a - b), bytes.length];
  let body = '';
  let rest = '';
  for (let i = 1; i < bounds.length; i++) {
    const piece = Buffer.from(bytes.subarray(bounds[i - 1], bounds[i]));
    let at = 0;
    for (let steps = 0; at < piece.length && !decoder.isDone && decoder.error === undefined; steps++) {
      expect(steps).toBeLessThanOrEqual(piece.length);
      const next = decoder.step(piece, at, piece.length);
      expect(next).toBeGreaterThanOrEqual(at);
      body += piece.toString('latin1', decoder.dataStart, decoder.dataEnd);
      at = next;
    }
    if (decoder.isDone) rest += piece.toString('latin1', at);
  }
  const error = decoder.error === undefined ? undefined : `${decoder.error.status} ${decoder.error.code}`;
  return { body: error === undefined ? body : '', isDone: decoder.isDone, error, trailers: decoder.trailers, rest };
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const cuts = fc.array(fc.nat({ max: 120 }), { maxLength: 8 });

const GOOD = [
  '0\r\n\r\nnext',
  '5\r\nhello\r\n0\r\n\r\n',
  '3;a=b\r\nabc\r\n02 ; c = "d\\"" ; e\r\nde\r\n0;f\r\nX: y\r\nZ:\r\n\r\nGET',
  'A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n',
];
const BAD = [
  'g\r\n',
  '\r\n',
  '+1\r\nx\r\n0\r\n\r\n',
  '1\nx',
  '1\r\nxx\r\n',
  '1\r\nx\n',
  '1 \r\nx',
  '1;\r\nx',
  '1;a=\r\nx',
  '0\r\nX : y\r\n\r\n',
  '0\r\n\n',
  '0\r\nX: y\n\r\n',
  '0\r\n: y\r\n\r\n',
  '0\r\nContent-Length: 1\r\n\r\n',
  '00000000000000001\r\n',
  'ffffffffffffffff\r\n',
];

describe('[P11] the pieces do not matter', () => {
  test.each([...GOOD, ...BAD])('%j, cut at every offset', (text) => {
    const bytes = latin1(text);
    const whole = decode(bytes);
    expect(whole.isDone).toBe(GOOD.includes(text));
    expect(whole.error === undefined).toBe(GOOD.includes(text));
    for (let cut = 1; cut < bytes.length; cut++) expect(decode(bytes, [cut])).toEqual(whole);
    expect(
      decode(
        bytes,
        Array.from({ length: bytes.length }, (_, index) => index),
      ),
    ).toEqual(whole);
  });

  test('of random and mutated bytes', () => {
    const octet = fc.constantFrom(...latin1('0123aAfFgx;=" \t\r\n\r\n\r\n:_\0\x80'));
    fc.assert(
      fc.property(fc.constantFrom(...GOOD), fc.array(fc.tuple(fc.nat({ max: 60 }), octet), { maxLength: 3 }), cuts, (text, changes, at) => {
        const bytes = latin1(text);
        for (const [position, value] of changes) bytes[position % bytes.length] = value;
        expect(decode(bytes, at)).toEqual(decode(bytes));
      }),
      { numRuns: 3000 },
    );
  });
});

test('what was put in comes out, and nothing behind it is touched', () => {
  const chunk = fc.record({
    data: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    padding: fc.nat({ max: 3 }),
    extension: fc.constantFrom('', ';a', ';a=b', ' ;\ta = "b;\\"c"', ';a;b=c'),
    isUpper: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(chunk, { maxLength: 6 }),
      fc.constantFrom('', 'X: y\r\n', 'X: \xff\r\nX: z\r\n'),
      fc.string(),
      cuts,
      (chunks, trailers, behind, at) => {
        const rest = latin1(behind).toString('latin1');
        const body = chunks.map(({ data }) => Buffer.from(data).toString('latin1')).join('');
        const text = chunks.map(({ data, padding, extension, isUpper }) => {
          const size = '0'.repeat(padding) + data.length.toString(16);
          return `${isUpper ? size.toUpperCase() : size}${extension}\r\n${Buffer.from(data).toString('latin1')}\r\n`;
        });
        const found = decode(latin1(`${text.join('')}0\r\n${trailers}\r\n${rest}`), at);
        expect(found).toMatchObject({ body, isDone: true, error: undefined, rest });
        expect(found.trailers).toHaveLength(trailers.split('\r\n').length - 1);
      },
    ),
    { numRuns: 1000 },
  );
});

test('[P10] [P32] limits of extensions, over all chunks together, and of trailers', () => {
  const chunk = (length: number): string => `1;${'a'.repeat(length - 1)}\r\nx\r\n`;
  expect(decode(latin1(`${chunk(2048)}${chunk(2048)}0\r\n\r\n`)).isDone).toBe(true);
  expect(decode(latin1(`${chunk(2048)}${chunk(2049)}0\r\n\r\n`)).error).toBe('400 chunk_extensions_too_long');
  expect(decode(latin1(`0\r\n${'X: y\r\n'.repeat(32)}\r\n`)).trailers).toHaveLength(32);
  expect(decode(latin1(`0\r\n${'X: y\r\n'.repeat(33)}\r\n`)).error).toBe('431 trailers_too_large');
  const sized = (extra: number): string => `0\r\nX: ${'y'.repeat(8192 - 'X: \r\n\r\n'.length + extra)}\r\n\r\n`;
  expect(decode(latin1(sized(0))).isDone).toBe(true);
  for (const at of [[], [8190], [8194, 8195, 8196], [8198]]) expect(decode(latin1(sized(1)), at).error).toBe('431 trailers_too_large');
});

test('[P31] sizes up to 2^53-1', () => {
  expect(decode(latin1('1fffffffffffff\r\n')).error).toBeUndefined();
  expect(decode(latin1('20000000000000\r\n')).error).toBe('400 bad_chunk');
  expect(decode(latin1('0000000000000001\r\nx\r\n0\r\n\r\n')).isDone).toBe(true);
});

test('[P37] a response may carry framing in its trailers, and it goes no further', () => {
  const found = decode(latin1('0\r\nContent-Length: 1\r\nX: y\r\n\r\n'), [], 'response');
  expect(found.isDone).toBe(true);
  expect(found.trailers.filter(([name]) => isForwardableTrailer(name))).toEqual([['X', 'y']]);
  for (const name of [
    'Host',
    'content-type',
    'Authorization',
    'Set-Cookie',
    'Cookie',
    'TE',
    'Expect',
    'Range',
    'Max-Forwards',
    'X-Forwarded-For',
    'Forwarded',
    'Connection',
    'a_b',
  ]) {
    expect(isForwardableTrailer(name)).toBe(false);
  }
});
