/** docs/tutorial.md, done as it says: its commands in one shell, in order, with what they print. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts, movePorts, type DemoPorts } from '../../examples/bookinfo/demo/ports.ts';
import { brokenLinks, steps } from '../helpers/markdown.ts';
import { movedClone, ROOT } from '../helpers/moved-clone.ts';
import { ShellSession } from '../helpers/shell-session.ts';

const FILE = join(ROOT, 'docs/tutorial.md');
const TEXT = await readFile(FILE, 'utf8');

let shell: ShellSession;
let clone: string;
let ports: DemoPorts;

beforeAll(async () => {
  ports = await freePorts(10_080);
  clone = await movedClone(ports.base);
  shell = new ShellSession({ cwd: clone, env: { ...process.env, SERVICES_URL: `http://127.0.0.1:${ports.mesh}` } });
});

afterAll(async () => {
  await shell.close();
  await rm(clone, { recursive: true, force: true });
});

test('its links lead somewhere', async () => {
  expect(await brokenLinks(FILE)).toEqual([]);
});

/** What a block must print, by its `check` mark; every block must end with status 0. */
const printed: Readonly<Record<string, RegExp>> = {
  v1: /v1 100 % of/,
  jason: /reviews-v2/,
  promoted: /Healthy {2}v2 is promoted[\s\S]*safe to go to 50 %/,
  v4: /Degraded {2}back to v2: .*error rate is worse than tolerated[\s\S]*ended with 1/,
  green: /reviews-v3\nreviews-v2/,
  switched: /reviews-v3[\s\S]*v3 is promoted/,
  undone: /reviews-v2[\s\S]*v3 is promoted/,
  ab: /4 reviews-v[13]\n[\s\S]*Degraded {2}back to v3: compare for 15s is over[\s\S]*ended with 1/,
};

test.each(steps(TEXT).map((step) => [step.block.line, step] as const))(
  'line %d',
  async (_line, { block: { text, marks }, shown }) => {
    const output = await shell.outputOf(movePorts(text, ports.base).replaceAll('15001', String(ports.mesh)));
    expect(output).toMatch(printed[marks.get('check') ?? ''] ?? /^/);
    expect(output.split('\n')).toEqual(expect.arrayContaining([...shown]));
    // The documented function, with addresses of this test's own where the document relies on the default ones.
    if (text.startsWith('serin()'))
      await shell.outputOf(`documented_${text.split('\n')[0] ?? ''}
serin() { if [ "$1" = up ]; then documented_serin "$@" --mesh 127.0.0.1:${ports.mesh} --admin 127.0.0.1:${ports.admin}; else documented_serin "$@"; fi; }`);
  },
  600_000,
);
