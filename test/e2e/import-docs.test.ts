/** docs/import.md: its commands print what is shown, its links lead somewhere, and what it says has a code has one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CODES } from '../../src/config/codes.ts';
import { IMPORTED_TOOLS } from '../../src/importers/import.ts';
import { brokenLinks, steps } from '../helpers/markdown.ts';
import { ROOT } from '../helpers/moved-clone.ts';
import { ShellSession } from '../helpers/shell-session.ts';

const FILE = join(ROOT, 'docs/import.md');
const TEXT = await readFile(FILE, 'utf8');

let shell: ShellSession;

beforeAll(async () => {
  shell = new ShellSession({ cwd: ROOT, env: process.env });
  await shell.outputOf('serin() { node src/cli/main.ts "$@"; }');
});

afterAll(() => shell.close());

test.each(steps(TEXT).map((step) => [step.block.line, step] as const))(
  'line %d',
  async (_line, { block, shown }) => {
    const output = (await shell.outputOf(block.text)).trimEnd().split('\n');
    expect(output.length).toBeGreaterThanOrEqual(Math.max(1, shown.length));
    expect(output.slice(0, shown.length)).toEqual(shown);
    expect(output.join('\n')).not.toMatch(/invalid|rror: (?!metadata)/);
  },
  60_000,
);

test('every code and every tool is in it, and its links lead somewhere', async () => {
  for (const code of Object.keys(CODES).filter((code) => code.includes('_IMPORT_'))) expect(TEXT).toContain(`\`${code}\``);
  for (const tool of IMPORTED_TOOLS) expect(TEXT).toContain(`serin import ${tool} -f`);
  expect(await brokenLinks(FILE)).toEqual([]);
});
