/** The generated pages are those the program's own tables give, and no code can be said that they do not list. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compatibilityPage, errorsPage } from '../scripts/docs.ts';
import { PROGRAM_CODES } from '../src/app/codes.ts';
import { CODES } from '../src/config/codes.ts';

const ROOT = join(import.meta.dirname, '..');

describe('generated pages are current (npm run docs)', () => {
  test.each([
    ['docs/compatibility.md', compatibilityPage],
    ['docs/errors.md', errorsPage],
  ])('%s', (file, page) => {
    expect(readFileSync(join(ROOT, file), 'utf8')).toBe(page());
  });
});

test('every code in the source is in docs/errors.md', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  );
  const said = new Set(
    sources.flatMap((file) => readFileSync(join(ROOT, 'src', file), 'utf8').match(/(?<=')[EW]_[A-Z]+(?:_[A-Z]+)*(?=')/g) ?? []),
  );
  const listed = new Set([...Object.keys(CODES), ...Object.keys(PROGRAM_CODES)]);
  expect([...said].filter((code) => !listed.has(code))).toEqual([]);
});
