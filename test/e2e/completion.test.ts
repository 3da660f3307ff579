/** `serin completion` in real shells: each is started without a user's own settings, and completes from the script and from a running Serin. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAIN, serin, SerinProcess } from '../helpers/serin-process.ts';
import { TerminalSession } from '../helpers/terminal-session.ts';

let directory: string;
let state: string;
let daemon: SerinProcess;
let env: Record<string, string>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-completion-'));
  state = join(directory, 'state');
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'serin'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  chmodSync(join(bin, 'serin'), 0o755);
  env = { PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`, HOME: directory, TERM: 'xterm' };
  writeFileSync(
    join(directory, 'config.yaml'),
    `
services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, paused: true, steps: [{ setWeight: 100 }] }
  ratings:
    versions: { v1: http://127.0.0.1:3 }
`,
  );
  daemon = new SerinProcess([
    'up',
    '-f',
    join(directory, 'config.yaml'),
    '--state',
    state,
    '--mesh',
    '127.0.0.1:0',
    '--admin',
    '127.0.0.1:0',
  ]);
  await daemon.ready();
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, out, err } = await serin(['completion', shell]);
    expect([code, err]).toEqual([0, '']);
    writeFileSync(join(directory, `serin.${shell}`), out);
  }
});

afterAll(async () => {
  await daemon.end();
  rmSync(directory, { recursive: true, force: true });
});

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0;

/** What bash would offer for the last of these words, split as bash splits them. */
function bash(...words: string[]): string[] {
  const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _serin; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync('bash', ['--norc', '-c', script, 'bash', join(directory, 'serin.bash'), ...words], {
    env,
    cwd: directory,
    encoding: 'utf8',
  });
  return out.split('\n').filter((line) => line !== '');
}

/** What fish would offer for a line, without descriptions. */
function fish(line: string): string[] {
  const out = execFileSync('fish', ['--no-config', '-c', `source ${join(directory, 'serin.fish')}; complete -C ${JSON.stringify(line)}`], {
    env,
    cwd: directory,
    encoding: 'utf8',
  });
  return out.split('\n').flatMap((found) => found.split('\t')[0] || []);
}

/** What a line becomes in an interactive shell when Tab is pressed at its end. @param start Makes the shell load the script. */
async function tabbed(shell: string, start: string, line: string): Promise<string> {
  const session = new TerminalSession(`cd '${directory}'; exec ${shell}`, { columns: 200, env });
  session.type(`${start}; echo rea''dy\n`);
  await session.until(/^ready\r?$/m);
  const from = session.text.length;
  session.type(`${line}\t`);
  await session.until(new RegExp(`${line.slice(-3)}.`), from);
  // To the start of the line, what prints it, and its end quoted.
  session.type(`\u0001printf '[%s]\\n' '\u0005'\n`);
  await session.until(/^\[.*\]\r?$/m, from);
  await session.end();
  return /^\[(?<found>.*)\]\r?$/m.exec(session.text.slice(from))?.groups?.['found']?.trim() ?? '';
}

describe('bash', () => {
  test.each([
    [['serin', 'roll'], ['rollout']],
    [['serin', 'rollout', 'hist'], ['history']],
    [
      ['serin', 'completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['serin', 'get', '--all'], ['--all-namespaces']],
    [['serin', 'get', '-o', 'y'], ['yaml']],
    [['serin', 'get', '--output', '=', 'y'], ['yaml']],
    [['serin', 'get', '-n', 'default', 'dest'], ['destinationrules']],
    [['serin', 'validate', '-f', 'conf'], ['config.yaml']],
    [['serin', 'get', '--state', 'sta'], ['state']],
    [['serin', 'help', 'ex'], ['explain']],
    [['serin', 'nonsense', ''], []],
  ])('%j', (words, offered) => {
    expect(bash(...words)).toEqual(offered);
  });

  test('names of what is in force, from the Serin that the line names', () => {
    expect(bash('serin', 'rollout', 'status', '--state', state, 're')).toEqual(['reviews']);
    expect(bash('serin', 'get', 'virtualservices', '--state', '=', '~/state', '')).toEqual(['reviews']);
    expect(bash('serin', 'shift', '--state', `'${state}'`, 'ra')).toEqual(['ratings']);
    expect(bash('serin', 'get', 'vs', '--state', state, '-n', '')).toEqual(['default']);
    expect(bash('serin', 'get', 'vs', '--state', state, '-n', 'other', '')).toEqual([]);
  });

  test('without a Serin there are no names, and no message', () => {
    expect(bash('serin', 'rollout', 'status', '--state', join(directory, 'none'), '')).toEqual([]);
  });

  test('with a real Tab key', async () => {
    const start = `source '${join(directory, 'serin.bash')}'`;
    expect(await tabbed('bash --norc', start, `serin rollout status --state ${state} rev`)).toBe(
      `serin rollout status --state ${state} reviews`,
    );
  });
});

// Where they are installed; .ci/run does so.
describe.skipIf(!has('zsh'))('zsh', () => {
  test.each([
    ['serin roll', 'serin rollout'],
    ['serin rollout hist', 'serin rollout history'],
    ['serin get --all', 'serin get --all-namespaces'],
    ['serin get --output=y', 'serin get --output=yaml'],
    ['serin validate -f conf', 'serin validate -f config.yaml'],
    ['serin rollout status --state ~/state rev', 'serin rollout status --state ~/state reviews'],
  ])('%s', async (line, completed) => {
    const start = `autoload -U compinit; compinit -u; source '${join(directory, 'serin.zsh')}'`;
    expect(await tabbed('zsh -f', start, line)).toBe(completed);
  });
});

describe.skipIf(!has('fish'))('fish', () => {
  test.each([
    ['serin roll', ['rollout']],
    ['serin rollout hist', ['history']],
    ['serin get --all', ['--all-namespaces']],
    ['serin get -o y', ['yaml']],
    ['serin get --output=y', ['--output=yaml']],
    ['serin get -n default dest', ['destinationrules']],
    ['serin validate -f conf', ['config.yaml']],
    ['serin rollout status --state ~/state re', ['reviews']],
    ['serin completion ', ['bash', 'fish', 'zsh']],
  ])('%s', (line, offered) => {
    expect(fish(line)).toEqual(offered);
  });
});
