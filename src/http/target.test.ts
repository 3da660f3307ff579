/** Paths have one normal form, and normalising it again changes nothing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasValidTriplets, normalizePath, parseAbsoluteTarget } from './target.ts';

const KEEP = { mergeSlashes: false, escapedSlashes: 'keep' } as const;

describe('[P20] normalizePath', () => {
  test.each([
    ['/', '/'],
    ['/a', '/a'],
    ['/a/', '/a/'],
    ['/a/.', '/a/'],
    ['/a/./', '/a/'],
    ['/a/..', '/'],
    ['/a/../', '/'],
    ['/a/b/../c', '/a/c'],
    ['/./a', '/a'],
    ['//', '//'],
    ['//a//b', '//a//b'],
    ['/a//../b', '/a/b'],
    ['/a/...', '/a/...'],
    ['/.a/a./..a/a..', '/.a/a./..a/a..'],
    ['/%41%7a%30%2D%2e%5F%7E', '/Az0-._~'],
    ['/%2f%2F%5c', '/%2F%2F%5C'],
    ['/%c3%A9', '/%C3%A9'],
    ['/%2e', '/'],
    ['/a/%2E%2e/b', '/b'],
    ['/%252e', '/%252e'],
    ['/%25%32%65', '/%252e'],
  ])('%s becomes %s', (path, normal) => {
    expect(normalizePath(path, KEEP)).toBe(normal);
  });

  test.each(['/..', '/../a', '/a/../..', '/%2e%2e', '/./..', '/a/%2e%2e/%2e%2e/b'])('%s is above the root', (path) => {
    expect(normalizePath(path, KEEP)).toMatchObject({ status: 400, code: 'path_above_root' });
  });

  test.each([
    ['//a', '/a'],
    ['///', '/'],
    ['/a//./b', '/a/b'],
    ['/a/..//b', '/b'],
  ])('with slashes merged %s becomes %s', (path, normal) => {
    expect(normalizePath(path, { mergeSlashes: true, escapedSlashes: 'keep' })).toBe(normal);
  });

  test.each(['/a%2fb', '/a%5Cb'])('with escaped slashes refused %s is', (path) => {
    expect(normalizePath(path, { mergeSlashes: false, escapedSlashes: 'reject' })).toMatchObject({ status: 400 });
  });

  const path = fc
    .array(fc.constantFrom('/', '.', '..', '%2e', '%2E', '%2f', 'a', '%61', '%25', 'b;c', '%c3'), { maxLength: 12 })
    .map((parts) => `/${parts.join('')}`);

  test.each([true, false])('is done after one pass (mergeSlashes: %s)', (mergeSlashes) => {
    const options = { mergeSlashes, escapedSlashes: 'keep' } as const;
    fc.assert(
      fc.property(path, (text) => {
        const normal = normalizePath(text, options);
        if (typeof normal !== 'string') return;
        expect(normal.startsWith('/')).toBe(true);
        expect(normalizePath(normal, options)).toBe(normal);
        expect(normal).not.toMatch(/\/\.{1,2}(?:\/|$)/);
      }),
      { numRuns: 3000 },
    );
  });

  test('leaves what the URL standard would leave: the resource is the same', () => {
    fc.assert(
      fc.property(path, (text) => {
        const normal = normalizePath(text, KEEP);
        if (typeof normal !== 'string' || normal.startsWith('//') || text.startsWith('//')) return;
        // WHATWG URL resolves dot segments (encoded ones, too) and decodes nothing else: decode what is unreserved, and both agree.
        const standard = new URL(`http://a${text}`).pathname.replace(/%[0-9a-f]{2}/gi, (triplet) => {
          const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
          return /[\w.~-]/.test(character) ? character : triplet.toUpperCase();
        });
        expect(normal).toBe(standard);
      }),
      { numRuns: 3000 },
    );
  });
});

test.each([
  ['/a', true],
  ['/%41', true],
  ['/%', false],
  ['/%4', false],
  ['/%4g', false],
  ['/%%41', false],
  ['/%00', false],
  ['/%000', false],
  ['/?%20', true],
])('[P19] triplets of %s: %s', (target, expected) => {
  expect(hasValidTriplets(target)).toBe(expected);
});

test.each([
  ['http://a', { scheme: 'http', authority: 'a', rest: '/' }],
  ['HTTPS://A:1/b?c', { scheme: 'https', authority: 'A:1', rest: '/b?c' }],
  ['http://a?b', { scheme: 'http', authority: 'a', rest: '/?b' }],
  ['http://[::1]/', { scheme: 'http', authority: '[::1]', rest: '/' }],
  ['http://u@a/', undefined],
  ['http:///a', undefined],
  ['ftp://a/', undefined],
  ['http:/a', undefined],
  ['//a/', undefined],
  ['a:80', undefined],
])('[P17] %s', (target, expected) => {
  expect(parseAbsoluteTarget(target)).toEqual(expected);
});
