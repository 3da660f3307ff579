/** `serin import` in-process: what is printed where, and the exit code. What becomes of files: test/import. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runHere, type Ran } from '../../test/helpers/serin-command.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples/import');

const serinImport = (args: readonly string[], input = ''): Promise<Ran> => runHere(['import', ...args], { input });

test('YAML goes to stdout, what has no equivalent to stderr, exit 0', async () => {
  const { code, out, err } = await serinImport(['ingress-nginx', '-f', join(EXAMPLES, 'ingress-nginx/shop.yaml')]);
  expect(code).toBe(0);
  expect(out).toContain('kind: HTTPRoute');
  expect(out).not.toContain('W_IMPORT');
  expect(err).toMatch(/shop\.yaml:\d+:\d+: warning: .*proxy-body-size.*\[W_IMPORT_NO_EQUIVALENT\]/);
});

test('what was written closed is an error, and printed all the same: exit 3', async () => {
  const { code, out, err } = await serinImport(['ingress-nginx', '-f', join(EXAMPLES, 'ingress-nginx/admin.yaml')]);
  expect(code).toBe(3);
  expect(err).toContain('[E_IMPORT_CLOSED]');
  expect(out).toContain('name: admin');
});

test('a directory is read as one import, standard input as well', async () => {
  const { code, out } = await serinImport(['flagger', '-f', join(EXAMPLES, 'flagger')]);
  expect([code, out.match(/^kind: Rollout$/gm)?.length]).toEqual([0, 5]);
  const piped = await serinImport(['argo-rollouts', '-f', '-'], out);
  expect([piped.code, piped.err]).toEqual([3, expect.stringContaining('serin: there is nothing of argo-rollouts in the files given')]);
});

test.each([
  [['nginx', '-f', 'x'], /Did you mean ingress-nginx|Allowed choices are ingress-nginx, flagger, argo-rollouts/],
  [['flagger'], /option '-f PATH' is missing/],
  [['flagger', '-f', '-', '-f', 'x'], /cannot be combined/],
])('%j is a usage error', async (args, message) => {
  const { code, out, err } = await serinImport(args);
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(message);
});

test('a path that is not there is an error', async () => {
  const { code, out, err } = await serinImport(['flagger', '-f', 'no-such-file.yaml']);
  expect([code, out]).toEqual([3, '']);
  expect(err).toContain('[E_CONFIG_READ]');
});
