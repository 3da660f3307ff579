/** What a request says about previews is told apart from the rest, in whatever company it comes. */
import { describe, expect, test } from 'vitest';
import { signPreview } from '../config/preview.ts';
import { previewUse } from './preview.ts';

const KEY = new Uint8Array(32).fill(7);
const NOW = 1_700_000_000_000;
const sign = (grant: string, seconds = 60): string => signPreview(KEY, grant, NOW / 1000 + seconds);
const A = sign('a');
const B = sign('b');
const OLD = sign('old', -1);
const NONE = { query: '', header: undefined, cookies: undefined };
const use = (parts: Partial<Parameters<typeof previewUse>[0]>, key: Uint8Array | undefined = KEY): ReturnType<typeof previewUse> =>
  previewUse({ ...NONE, ...parts }, key, NOW);

test.each([
  [{}],
  [{ query: 'a=1&b', cookies: 'c=2; d' }],
  [{ query: 'x-serin-preview=1&serin-previews=2&Serin-Preview=3' }],
  [{ cookies: 'xserin-preview=1; serin-preview; serin-preview2=3; a=serin-preview=4' }],
])('%j says nothing about previews', (parts) => {
  expect(use(parts)).toBeUndefined();
});

describe('what is left', () => {
  test.each([
    [`serin-preview=${A}`, ''],
    [`a=1&serin-preview=${A}`, 'a=1'],
    [`serin-preview=${A}&a=%20&&b`, 'a=%20&&b'],
    [`a=1&serin-preview=${A}&b=2&serin-preview=x&serin-preview`, 'a=1&b=2'],
    ['serin-preview', ''],
  ])('of the query %s', (query, left) => {
    expect(use({ query })?.query).toBe(left);
  });

  test.each([
    [`serin-preview=${A}`, undefined],
    [`a=1; serin-preview=${A}; b="2"`, 'a=1; b="2"'],
    [`serin-preview=${A};serin-preview=x ;a=b=c; flag`, 'a=b=c; flag'],
    ['serin-preview=', undefined],
  ])('of the cookies %s', (cookies, left) => {
    expect(use({ cookies })).toMatchObject({ cookies: left, query: undefined });
  });

  test('of cookies beside a token in the query', () => {
    expect(use({ query: `serin-preview=${A}`, cookies: 'a=1' })).toMatchObject({ cookies: 'a=1' });
  });
});

test.each<[parts: Partial<Parameters<typeof previewUse>[0]>, grant: string | undefined, link: boolean]>([
  [{ query: `serin-preview=${A}`, header: B, cookies: `serin-preview=${B}` }, 'a', true],
  [{ query: `serin-preview=${OLD}`, header: A, cookies: `serin-preview=${B}` }, 'a', false],
  [{ query: 'serin-preview=forged', cookies: `serin-preview=${B}` }, 'b', false],
  [{ header: 'a' }, undefined, false],
  [{ header: `${A},${B}` }, undefined, false],
  [{ cookies: `serin-preview=${OLD}` }, undefined, false],
])('%j: the first token that is valid counts', (parts, grant, link) => {
  const found = use(parts);
  expect(found?.verified?.grant).toBe(grant);
  expect(found?.fromLink !== undefined).toBe(link);
});

test('without a key no token is valid, and it is taken off all the same', () => {
  expect(previewUse({ ...NONE, query: `serin-preview=${A}` }, undefined, NOW)).toMatchObject({ verified: undefined, query: '' });
});
