/** docs/simulate.md: its command prints what is shown (`npm run docs` writes it), its options are those of the command, its links lead somewhere. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { brokenLinks, steps } from '../helpers/markdown.ts';
import { ROOT } from '../helpers/moved-clone.ts';
import { serin } from '../helpers/serin-process.ts';
import { ShellSession } from '../helpers/shell-session.ts';

const FILE = join(ROOT, 'docs/simulate.md');
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
    expect(shown.length).toBeGreaterThan(20);
    expect((await shell.outputOf(block.text)).split('\n').slice(0, shown.length)).toEqual(shown);
  },
  120_000,
);

test('every option is explained, and its links lead somewhere', async () => {
  const { out } = await serin(['simulate', '--help']);
  const options = [...out.matchAll(/^ +(--[a-z]+) /gm)].map(([, option]) => option ?? '');
  expect(options).toEqual(expect.arrayContaining(['--rate', '--errors', '--latency', '--regression', '--within', '--runs', '--seed']));
  for (const option of options) expect(TEXT).toContain(`\`${option}`);
  expect(await brokenLinks(FILE)).toEqual([]);
});
