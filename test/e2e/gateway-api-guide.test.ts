/** docs/gateway-api.md, done as it says: its commands in one shell, in order, with what they print; its YAML is that of the examples. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts, movePorts, type DemoPorts } from '../../examples/bookinfo/demo/ports.ts';
import { brokenLinks, codeBlocks, steps } from '../helpers/markdown.ts';
import { movedClone, ROOT } from '../helpers/moved-clone.ts';
import { ShellSession } from '../helpers/shell-session.ts';

const FILE = join(ROOT, 'docs/gateway-api.md');
const TEXT = await readFile(FILE, 'utf8');

let shell: ShellSession;
let clone: string;
let ports: DemoPorts;

beforeAll(async () => {
  ports = await freePorts(6_080);
  clone = await movedClone(ports.base);
  shell = new ShellSession({ cwd: clone, env: { ...process.env } });
});

afterAll(async () => {
  await shell.close();
  await rm(clone, { recursive: true, force: true });
});

test('its links lead somewhere, and its YAML stands in the examples', async () => {
  expect(await brokenLinks(FILE)).toEqual([]);
  const parts = codeBlocks(TEXT).filter(({ marks }) => marks.has('part'));
  expect(parts.length).toBeGreaterThan(0);
  for (const { text, marks } of parts)
    expect(await readFile(join(ROOT, 'examples/gateway-api', marks.get('part') ?? ''), 'utf8')).toContain(text);
});

/** What a block must print, by its `check` mark; every block must end with status 0. */
const printed: Readonly<Record<string, RegExp>> = {
  // Twenty of two hundred, give or take what chance does once in a million times (binomial, 2 and 45).
  split: /^ +1\d{2} v1\n +(?:[3-9]|[123]\d|4[0-4]) v2\nv2$/m,
  status: /^front +serin +80 +- +127\.0\.0\.1:\d+ +True[\s\S]*^reviews +shop\.example\.com +True +True/m,
  broken: /False +BackendNotFound[\s\S]*"message": "[^"]*reviews-v9[^"]*"[\s\S]*^ +1\d{2} 200\n +(?:[3-9]|[123]\d|4[0-4]) 500$/m,
  warned: /front\.yaml:\d+:\d+: warning: .*reviews-v9/,
  explained: /^takes it: .*HTTPRoute default\/reviews.*front\.yaml:\d+\)$/m,
  refused: /RefNotPermitted/,
  conflict: /False .*HostnameConflict.*--listen default\/office:80=/,
  apart: /^front .*True[\s\S]*^office .*True[\s\S]*v2\n[\s\S]*v[12]$/m,
  https: /InvalidCertificateRef/,
};

test.each(steps(TEXT).map((step) => [step.block.line, step] as const))(
  'line %d',
  async (_line, { block: { text, marks }, shown }) => {
    const output = await shell.outputOf(moved(text));
    expect(output).toMatch(printed[marks.get('check') ?? ''] ?? /^/);
    expect(output.split('\n')).toEqual(expect.arrayContaining([...shown]));
    // The documented function, with addresses of this test's own where the document relies on the default ones.
    if (text.startsWith('serin()'))
      await shell.outputOf(`documented_${text.split('\n')[0] ?? ''}
serin() { if [ "$1" = up ]; then documented_serin "$@" --mesh 127.0.0.1:${ports.mesh} --admin 127.0.0.1:${ports.admin}; else documented_serin "$@"; fi; }`);
  },
  120_000,
);

function moved(text: string): string {
  const others: Readonly<Record<string, number>> = { 8080: ports.gateway, 8081: ports.base + 4, 8443: ports.base + 5, 15001: ports.mesh };
  return movePorts(text, ports.base).replaceAll(/\b(?:8080|8081|8443|15001)\b/g, (port) => String(others[port]));
}
