/**
 * README.md, done as it says: its commands run in one shell, in order; its YAML loads and does what the text says; its links lead somewhere. The commands
 * that install or run everything are only held to be the documented ones: this test is run by one of them.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts, movePorts, type DemoPorts } from '../../examples/bookinfo/demo/ports.ts';
import { loadText } from '../../src/config/load.ts';
import { brokenLinks, codeBlocks, steps } from '../helpers/markdown.ts';
import { movedClone, ROOT } from '../helpers/moved-clone.ts';
import { ShellSession } from '../helpers/shell-session.ts';

const README = await readFile(join(ROOT, 'README.md'), 'utf8');
const SCRIPTS: object = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')).scripts;

test('the two commands are these, and package.json has what they name', () => {
  const manual = codeBlocks(README)
    .filter((block) => block.marks.has('manual'))
    .map((block) => block.text.trim());
  expect(manual).toEqual(['npm ci && npm run demo', 'npm ci && npm test']);
  expect(Object.keys(SCRIPTS)).toEqual(expect.arrayContaining(['demo', 'test', 'serin']));
});

test.each([
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'docs/adopt.md',
  'docs/diff.md',
  'docs/resources.md',
  'examples/bookinfo/README.md',
])('%s links to what is there', async (document) => {
  expect(await brokenLinks(join(ROOT, document))).toEqual([]);
});

test('CONTRIBUTING.md names scripts that are there', async () => {
  const text = await readFile(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const named = [...text.matchAll(/npm run (?<name>\w+)/g)].map((found) => found.groups?.['name']);
  expect(named.length).toBeGreaterThan(4);
  expect(Object.keys(SCRIPTS)).toEqual(expect.arrayContaining(named));
});

test('the YAML of README.md is valid', () => {
  const examples = codeBlocks(README).filter((block) => block.language === 'yaml');
  expect(examples).toHaveLength(1);
  expect(loadText('README.md', examples[0]?.text ?? '').diagnostics).toEqual([]);
});

describe('the commands of README.md', () => {
  let shell: ShellSession;
  let clone: string;
  let ports: DemoPorts;

  beforeAll(async () => {
    ports = await freePorts(12_080);
    clone = await movedClone(ports.base);
    shell = new ShellSession({ cwd: clone, env: { ...process.env, SERIN_STATE: join(clone, 'state') } });
  });

  afterAll(async () => {
    await shell.close();
    await rm(clone, { recursive: true, force: true });
  });

  /** What a block must print, by its `check` mark; every block must end with status 0. */
  const printed: Readonly<Record<string, RegExp>> = {
    offline: /valid, 0 warnings[\s\S]*kind: VirtualService/,
    up: /"podname":"reviews-v[12]-/,
    shift: /^overlay: VirtualService default\/reviews, by shift[\s\S]*^files: no change[\s\S]*weight: 50[\s\S]*weight: 50/m,
  };

  test.each(steps(README).map((step) => [step.block.line, step] as const))(
    'line %d',
    async (_line, { block: { text, marks }, shown }) => {
      const output = await shell.outputOf(movePorts(text, ports.base).replaceAll('15001', String(ports.mesh)));
      expect(output).toMatch(printed[marks.get('check') ?? ''] ?? /^/);
      expect(output.split('\n')).toEqual(expect.arrayContaining(shown.map((line) => movePorts(line, ports.base))));
      // The documented function, with addresses of this test's own where the document relies on the default ones.
      if (text.startsWith('serin()')) await shell.outputOf(`documented_${text}\n${ownAddresses(ports)}`);
    },
    60_000,
  );
});

function ownAddresses({ mesh, admin }: DemoPorts): string {
  const addresses = `--mesh 127.0.0.1:${mesh} --admin 127.0.0.1:${admin}`;
  return `serin() { if [ "$1" = up ]; then documented_serin "$@" ${addresses}; else documented_serin "$@"; fi; }`;
}
