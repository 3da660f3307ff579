/** `serin diff` against a running Serin: what it prints, what it keeps to itself, and its exit codes. docs/diff.md shows what the first test gets. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DiffResult } from '../../src/admin/api-types.ts';
import { codeBlocks } from '../helpers/markdown.ts';
import { askAdmin } from '../helpers/admin-api.ts';
import { serinHere } from '../helpers/serin-command.ts';
import { type Finished, serin, SerinProcess, type StartOptions } from '../helpers/serin-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const SERVICES = readFileSync(join(ROOT, 'examples/bookinfo/serin.yaml'), 'utf8');
const EDITED = SERVICES.replace('v1: 90, v2: 10', 'v1: 70, v2: 30');
const secret = (value: string): string =>
  `---\napiVersion: v1\nkind: Secret\nmetadata: { name: shop }\nstringData: { ca.crt: kept, tls.key: ${value} }\n`;
const MIRROR = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ratings }
spec: { hosts: [ratings], http: [{ timeout: 2s, route: [{ destination: { host: ratings } }] }] }
`;

let directory: string;
let daemon: SerinProcess;
let state: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-diff-'));
  state = join(directory, 'state');
  const file = write('serin.yaml', `${SERVICES}${secret('hunter2')}`);
  daemon = await new SerinProcess(['up', '-f', file, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']).ready();
});

afterAll(async () => {
  await daemon.end();
  rmSync(directory, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** Of files with this in them; the directory they are in is left out of what is printed. */
async function diff(text: string, more: readonly string[] = [], options?: StartOptions): Promise<Finished> {
  const args = ['diff', '-f', write('new.yaml', text), '--state', state, ...more];
  const finished = await (options === undefined ? serinHere(args) : serin(args, options));
  const { out, err } = finished;
  return { ...finished, out: out.replaceAll(`${directory}/`, ''), err: err.replaceAll(`${directory}/`, '') };
}

describe('files', () => {
  test('that say the same, with other comments and keys in another order: nothing, exit 0', async () => {
    const reordered = secret('hunter2').replace(/(metadata: .*)\n(stringData: .*)\n/, '# moved\n$2\n$1\n');
    expect(reordered).not.toBe(secret('hunter2'));
    expect(await diff(`${SERVICES}${reordered}`)).toMatchObject({ code: 0, out: '', err: '' });
  });

  test('an edited weight: as docs/diff.md shows it, exit 1', async () => {
    const { code, out, err } = await diff(`${EDITED}${secret('hunter2')}`);
    expect([code, err]).toEqual([1, '']);
    const shown = codeBlocks(readFileSync(join(ROOT, 'docs/diff.md'), 'utf8')).find(({ marks }) => marks.has('edited'));
    expect(out).toBe(shown?.text);
  });

  test('a resource more and one less', async () => {
    const { code, out } = await diff(`${SERVICES}${MIRROR}`);
    expect(code).toBe(1);
    expect(out).toMatch(
      /^removed: Secret default\/shop\n--- in force\tserin\.yaml:\d+\n\+\+\+ \/dev\/null\n@@ -1,\d+ \+0,0 @@\n-apiVersion: v1$/m,
    );
    expect(out).toMatch(/^added: VirtualService default\/ratings\n--- \/dev\/null\n\+\+\+ given\tnew\.yaml:\d+\n@@ -0,0 \+1,\d+ @@$/m);
    expect(out).toMatch(/^ {2}route changed\n {4}when everything\n {4}to outbound\|80\|\|ratings[^\n]*\n\+ {3}timeout 2000 ms$/m);
    expect(out).toMatch(/^files: 1 added, 1 removed; routing: 1 change\n$/m);
  });

  test('a Secret: that it differs, never what it is', async () => {
    const { code, out } = await diff(`${SERVICES}${secret('correcthorse')}`);
    expect(code).toBe(1);
    expect(out).toMatch(/^ {5}ca\.crt: "\*{3}"\n- {4}tls\.key: "\*{3} \(before\)"\n\+ {4}tls\.key: "\*{3} \(after\)"$/m);
    const { out: json } = await diff(`${SERVICES}${secret('correcthorse')}`, ['-o', 'json']);
    for (const text of [out, json]) {
      for (const value of ['hunter2', 'correcthorse', 'kept']) {
        expect(text).not.toContain(value);
        expect(text).not.toContain(Buffer.from(value).toString('base64'));
      }
    }
  });

  test('from standard input', async () => {
    const { status, stdout } = await piped(`${EDITED}${secret('hunter2')}`);
    expect(status).toBe(1);
    expect(stdout).toContain('+++ given\t-:10\n');
  });

  test('in colours where they are wanted', async () => {
    const escape = '\u001b[';
    const text = `${EDITED}${secret('hunter2')}`;
    expect((await diff(text, [], { env: { FORCE_COLOR: '1' } })).out).toContain(`${escape}32m+          weight: 70${escape}39m`);
    expect((await diff(text, [], { env: { NO_COLOR: '1' } })).out).not.toContain(escape);
    expect((await diff(text, ['-o', 'json'], { env: { FORCE_COLOR: '1' } })).out).not.toContain(escape);
  });
});

describe('while a shift is in force', () => {
  beforeEach(async () => {
    expect(await serin(['shift', 'reviews', 'v1=50', 'v2=50', '--state', state])).toMatchObject({ code: 0 });
    return async () => {
      await serin(['shift', 'reviews', '--reset', '--state', state]);
    };
  });

  test('it is told apart from edits, and routing counts with it', async () => {
    const same = await diff(`${SERVICES}${secret('hunter2')}`);
    expect(same.code).toBe(1);
    expect(same.out).toMatch(/^overlay: VirtualService default\/reviews, by shift; no edit of a file/m);
    expect(same.out).toMatch(/^- {10}weight: 90\n\+ {10}weight: 50$/m);
    expect(same.out).toMatch(/^files: no change; overlay: 1 moved; routing: no change\n$/m);

    const { out } = await diff(`${EDITED}${secret('hunter2')}`, ['-o', 'json']);
    const result = DiffResult.parse(JSON.parse(out));
    expect(result.resources.map(({ change, kind, name }) => `${change} ${kind} ${name}`)).toEqual(['changed VirtualService reviews']);
    expect(result.overlay.map(({ by, change, name }) => `${by}: ${change} ${name}`)).toEqual(['shift: changed reviews']);
    expect(result.routing).toEqual([]);
  });

  test('one that the files would make impossible is warned of', async () => {
    const { code, out, err } = await diff(SERVICES.replace('      v2: http://127.0.0.1:9082\n', '').replace(/ {4}routes:[\s\S]*/, ''));
    expect(code).toBe(1);
    expect(err).toMatch(/shift of reviews\.default\.svc\.cluster\.local is left out: .*has no subset "v2" \[W_SHIFT_IGNORED\]/);
    expect(out).not.toMatch(/^overlay: VirtualService/m);
  });
});

describe('when it cannot be told', () => {
  test('invalid files: their problems, exit 3', async () => {
    const { code, out, err } = await diff(SERVICES.replace('split', 'spilt'));
    expect([code, out]).toEqual([3, '']);
    expect(err).toMatch(/^new\.yaml:19:\d+: error: .*\[E_\w+\]$/m);
  });

  test('no file, no Serin, no token: more than 1', async () => {
    const file = write('new.yaml', SERVICES);
    expect(await serin(['diff', '--state', state])).toMatchObject({ code: 2, err: "serin: option '-f PATH' is missing\n" });
    expect(await serin(['diff', '-f', file, '--state', join(directory, 'none')])).toMatchObject({ code: 4 });
    const refused = await serin(['diff', '-f', file, '--state', state], { env: { SERIN_TOKEN: 'serin_wrong' } });
    expect(refused).toMatchObject({ code: 2, out: '' });
    expect(refused.err).toContain('unauthorized');
  });

  test('more than the API takes: how much, and how much it may be', async () => {
    const { code, out, err } = await diff(`${SERVICES}#${'x'.repeat(8 * 1024 * 1024 - SERVICES.length - 1)}`);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^serin: the files are \d+ bytes of JSON, and a running Serin takes 8388608 to compare\n {4}hint: /);
  });

  test('the API refuses what it cannot use, and says what is wrong', async () => {
    const answer = await askAdmin(daemon, state, { path: 'diff', body: { sources: [{ file: 'a.yaml', content: 'kind: Nothing\n' }] } });
    expect(answer).toMatchObject({
      status: 422,
      json: { code: 'E_CONFIG_INVALID', detail: expect.stringMatching(/^a\.yaml:1:1: error: /) },
    });
  });
});

function piped(text: string): Promise<{ readonly status: number | null; readonly stdout: string }> {
  const child = new SerinProcess(['diff', '-f', '-', '--state', state], {
    command: ['sh', '-c', `exec "$0" "$@" < "${write('input.yaml', text)}"`, process.execPath, join(ROOT, 'src/cli/main.ts')],
  });
  return child.finished.then(({ code, out }) => ({ status: code, stdout: out }));
}
