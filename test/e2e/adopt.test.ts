/**
 * docs/adopt.md, done as it says: its commands run in one shell, in order, against real processes, and print what it says they print, among whatever background jobs print
 * meanwhile. Ports are moved to a
 * free range, in the commands and in copies of the YAML.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts, movePorts, type DemoPorts } from '../../examples/bookinfo/demo/ports.ts';
import { brokenLinks, codeBlocks, steps } from '../helpers/markdown.ts';
import { movedClone, ROOT } from '../helpers/moved-clone.ts';
import { ShellSession } from '../helpers/shell-session.ts';

const DOCUMENT = await readFile(join(ROOT, 'docs/adopt.md'), 'utf8');

let ports: DemoPorts;
let clone: string;
let shell: ShellSession;

/** Of lines as `uniq -c` prints them. */
function counted(output: string): Map<string, number> {
  return new Map([...output.matchAll(/^\s*(\d+) (reviews-v\d)$/gm)].map(([, count, version]) => [version ?? '', Number(count)]));
}

/** Which version answered each of `count` requests through the gateway, as `counted` reads it. */
async function askThroughGateway(count: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let asked = 0; asked < count; asked++) {
    const answer = await (await fetch(`http://127.0.0.1:${ports.gateway}/reviews/0`)).text();
    const version = /reviews-v\d/.exec(answer)?.[0] ?? answer;
    counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  return counts;
}

/** What more there is to say of a block's output, by its `check` mark. */
const checks: Readonly<Record<string, (output: string) => Promise<void>>> = {
  split: async (output) => {
    expectHalfAndHalf(counted(output), 100);
    expectHalfAndHalf(await askThroughGateway(2000), 2000);
  },
};

/** Both versions within five standard deviations of a half (missed by chance less than once in a million runs), and no other. */
function expectHalfAndHalf(counts: ReadonlyMap<string, number>, total: number): void {
  expect([...counts.keys()].sort((a, b) => a.localeCompare(b))).toEqual(['reviews-v1', 'reviews-v2']);
  const v1 = counts.get('reviews-v1') ?? 0;
  const v2 = counts.get('reviews-v2') ?? 0;
  expect(v1 + v2).toBe(total);
  expect(Math.abs(v1 - total / 2)).toBeLessThanOrEqual((5 * Math.sqrt(total)) / 2);
}

beforeAll(async () => {
  ports = await freePorts(11_080);
  clone = await movedClone(ports.base);
  shell = new ShellSession({ cwd: clone, env: process.env });
});

afterAll(async () => {
  await shell.close();
  await rm(clone, { recursive: true, force: true });
});

describe('docs/adopt.md', () => {
  test('shows the YAML it uses', async () => {
    const shown = codeBlocks(DOCUMENT).filter((block) => block.marks.has('file'));
    expect(shown.map((block) => block.marks.get('file'))).toEqual([
      'examples/bookinfo/adopt/services.yaml',
      'examples/bookinfo/adopt/routing.yaml',
    ]);
    for (const block of shown) expect(block.text).toBe(await readFile(join(ROOT, block.marks.get('file') ?? ''), 'utf8'));
  });

  test('links to what is there', async () => {
    expect(await brokenLinks(join(ROOT, 'docs/adopt.md'))).toEqual([]);
  });

  describe('step by step', () => {
    test.each(steps(DOCUMENT).map((step) => [step.block.line, step.block.text.split('\n', 1)[0], step] as const))(
      'line %d: %s',
      async (_line, _command, { block, shown }) => {
        const output = await shell.outputOf(movePorts(block.text, ports.base));
        expect(output.split('\n')).toEqual(expect.arrayContaining([...shown]));
        await checks[block.marks.get('check') ?? '']?.(output);
      },
      120_000,
    );
  });
});
