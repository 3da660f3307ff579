import { describe, expect, test } from 'vitest';
import { previewGrant, signPreview, verifyPreview } from './preview.ts';

const KEY = new Uint8Array(32).fill(7);
const GRANT = previewGrant('default/reviews', 3, 'v2');
const UNTIL = 1_800_000_000;
const BEFORE = UNTIL * 1000 - 1;
const TOKEN = signPreview(KEY, GRANT, UNTIL);

test('a token says which version of which run it shows, and until when; it fits a cookie and a URL as it is', () => {
  expect(verifyPreview(KEY, TOKEN, BEFORE)).toEqual({ grant: 'default/reviews#3/v2', expiresAtSeconds: UNTIL });
  expect(TOKEN).toMatch(/^[\w.-]+$/);
  expect(verifyPreview(KEY, TOKEN, UNTIL * 1000)).toBeUndefined();
});

describe('what was not signed here is worth nothing', () => {
  const [payload = '', mac = ''] = TOKEN.split('.');
  const forged = Buffer.from(JSON.stringify([previewGrant('default/reviews', 4, 'v2'), UNTIL])).toString('base64url');

  test.each([
    ['nothing', ''],
    ['no MAC', payload],
    ['an empty MAC', `${payload}.`],
    ['a MAC that is too short', `${payload}.${mac.slice(1)}`],
    ['a MAC of zeros', `${payload}.${'A'.repeat(43)}`],
    ["another payload with a token's MAC", `${forged}.${mac}`],
    ['three parts', `${TOKEN}.${mac}`],
    ['another alphabet', TOKEN.replace('.', '!')],
    ['far too long', `${'a'.repeat(2000)}.${mac}`],
    ['the grant itself', GRANT],
  ])('%s', (_what, token) => {
    expect(verifyPreview(KEY, token, BEFORE)).toBeUndefined();
  });

  test('every single changed character', () => {
    for (let at = 0; at < TOKEN.length; at++) {
      const changed = `${TOKEN.slice(0, at)}${TOKEN[at] === 'x' ? 'y' : 'x'}${TOKEN.slice(at + 1)}`;
      // The last character of a MAC of 32 bytes has two bits that say nothing.
      if (at === TOKEN.length - 1) continue;
      expect(verifyPreview(KEY, changed, BEFORE), `position ${at}`).toBeUndefined();
    }
  });

  test('signed with another key', () => {
    expect(verifyPreview(new Uint8Array(32).fill(8), TOKEN, BEFORE)).toBeUndefined();
  });
});
