/** `serin render --to gateway-api` and `--to istio` as a user runs them, and docs/convert.md: what it tells its readers to run prints what is shown. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { brokenLinks, steps } from '../helpers/markdown.ts';
import { ROOT } from '../helpers/moved-clone.ts';
import { serin } from '../helpers/serin-process.ts';
import { ShellSession } from '../helpers/shell-session.ts';

const PAGE = join(ROOT, 'docs/convert.md');
const TEXT = readFileSync(PAGE, 'utf8');

let shell: ShellSession;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-convert-'));
  shell = new ShellSession({ cwd: ROOT, env: process.env });
  await shell.outputOf(`serin() { '${process.execPath}' src/cli/main.ts "$@"; }`);
});

afterAll(async () => {
  await shell.close();
  rmSync(directory, { recursive: true, force: true });
});

test.each(steps(TEXT).map((step) => [step.block.line, step] as const))(
  'docs/convert.md, line %d',
  async (_line, { block, shown }) => {
    expect(shown.length).toBeGreaterThan(0);
    expect((await shell.outputOf(block.text)).trimEnd().split('\n')).toEqual(shown);
  },
  60_000,
);

test('links of docs/convert.md lead somewhere, and it names every code there is', async () => {
  expect(await brokenLinks(PAGE)).toEqual([]);
  const errors = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8');
  for (const [code] of errors.matchAll(/W_CONVERT_[A-Z_]+/g)) expect(TEXT).toContain(`\`${code}\``);
});

test('what is printed is for the next command, there and back, and the exit code is 0', async () => {
  const there = await serin(['render', '-f', join(ROOT, 'docs/convert/shop.yaml'), '--to', 'gateway-api']);
  expect(there.code).toBe(0);
  expect(there.out).toContain('kind: HTTPRoute');
  expect(there.out).not.toContain('kind: VirtualService');
  const file = join(directory, 'there.yaml');
  writeFileSync(file, there.out);
  const back = await serin(['render', '-f', file, '--to', 'istio']);
  expect([back.code, back.err]).toEqual([0, '']);
  expect(back.out).toContain('kind: VirtualService');
  expect(back.out).not.toContain('gateway.networking.k8s.io');
  const again = join(directory, 'back.yaml');
  writeFileSync(again, back.out);
  const found = await serin(['explain', '-f', again, '-H', 'end-user: jason', 'http://reviews/reviews/1']);
  expect(found.out).toContain('127.0.0.1:9082');
});

test('flags of Envoy are refused beside the Gateway API', async () => {
  const refused = await serin(['render', '-f', join(ROOT, 'docs/convert/shop.yaml'), '--to', 'gateway-api', '--mesh', 'off']);
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.err).toContain("option '--mesh' goes with --to envoy only");
});
