/** Versions that Serin runs: what `run:` expands to, and what is said about it and about this machine. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadFiles, loadText } from './load.ts';
import { RUN_ANNOTATION } from './resources.ts';
import { planProgram } from './run-host.ts';
import { runSpecsOf } from './run.ts';

const SHORT = `
services:
  reviews:
    healthCheck: { path: /health }
    versions:
      v1: http://127.0.0.1:9081
      v2: { run: node reviews.js, env: { STARS: black, SIZE: 5 }, instances: 2, weight: 3, stopTimeout: 5s }
      v3: { run: [node, reviews.js], ready: { timeout: 2s } }
`;

describe('the short form', () => {
  test('expands to an annotation and no endpoint', () => {
    const { snapshot, diagnostics } = loadText('x', SHORT);
    expect(diagnostics).toEqual([]);
    const [entry] = snapshot.serviceEntries;
    expect(entry?.spec.endpoints).toHaveLength(1);
    expect([...runSpecsOf(entry?.metadata ?? { name: '', namespace: '' })]).toEqual([
      [
        'v2',
        {
          command: ['node', 'reviews.js'],
          env: { STARS: 'black', SIZE: '5' },
          instances: 2,
          weight: 3,
          ready: { path: '/health' },
          stopTimeout: '5s',
        },
      ],
      ['v3', { command: ['node', 'reviews.js'], ready: { timeout: '2s', path: '/health' } }],
    ]);
  });

  test('a service with nothing but run is no mistake', () => {
    const { diagnostics } = loadText('x', 'services: { a: { versions: { v1: { run: node a.js } } } }\n');
    expect(diagnostics).toEqual([]);
  });
});

describe('the annotation', () => {
  const entry = (text: string, resolution = 'STATIC'): string => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: a
  annotations:
    ${RUN_ANNOTATION}: '${text}'
spec: { hosts: [a.test], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: ${resolution} }
`;
  const said = (text: string, resolution?: string): string[] =>
    loadText('x', entry(text, resolution)).diagnostics.map(({ line, code, message }) => `${line} ${code} ${message}`);
  const saidOfIt = (text: string): string[] => said(text).filter((line) => line.startsWith('6 '));

  test.each([
    ['{"v1":{"command":["node","a.js"]}}', []],
    ['{', ['6 E_RUN expected JSON']],
    ['[]', ['6 E_TYPE expected a mapping, found a list']],
    ['{"v1":{}}', ['6 E_REQUIRED v1.command: command is required']],
    ['{"v1":{"command":[]}}', ['6 E_RANGE v1.command: number of entries must be >= 1, found 0']],
    ['{"v1":{"command":["a"],"comand":1}}', ['6 E_UNKNOWN_KEY v1.comand: unknown key "comand"']],
    ['{"../v1":{"command":["a"]}}', ['6 E_NAME ["../v1"]: version "../v1" is no label value']],
    [
      '{"v1":{"command":["a"],"env":{"DB_PASSWORD":"hunter2"}}}',
      ['6 W_INLINE_SECRET v1.env.DB_PASSWORD: DB_PASSWORD looks like a secret written into the file'],
    ],
  ])('%s', (text, expected) => {
    expect(saidOfIt(text)).toEqual(expected);
  });

  test('needs a resolution that has endpoints', () => {
    expect(said('{"v1":{"command":["a"]}}', 'DYNAMIC_DNS').some((text) => text.startsWith('7 E_RESOLUTION'))).toBe(true);
  });
});

describe('secrets', () => {
  const isWarned = (env: string): boolean =>
    loadText('x', `services: { a: { versions: { v1: { run: a, env: { ${env} } } } } }\n`).diagnostics.some(
      ({ code }) => code === 'W_INLINE_SECRET',
    );

  test.each([
    'SECRET: x',
    'db_password: x',
    'API_KEY: x',
    'GH: ghp_0123456789',
    'URL: "postgres://me:pw@db/x"',
    'K: "-----BEGIN PRIVATE KEY-----"',
  ])('%s', (env) => {
    expect(isWarned(env)).toBe(true);
  });

  test.each([
    'STARS: black',
    'API_KEY: "${API_KEY}"',
    'API_KEY: { file: key }',
    'TOKEN_TTL: 30',
    'URL: "postgres://me:${PW}@db/x"',
    'MONKEY: x',
  ])('%s is none', (env) => {
    expect(isWarned(env)).toBe(false);
  });
});

describe('on this machine', () => {
  let directory: string;
  const file = (): string => join(directory, 'conf', 'a.yaml');

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'serin-run-'));
    mkdirSync(join(directory, 'conf'));
    mkdirSync(join(directory, 'bin'));
    writeFileSync(join(directory, 'bin/tool'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(join(directory, 'bin/text'), 'no program', { mode: 0o644 });
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  async function said(version: string, env: Record<string, string> = {}): Promise<string[]> {
    writeFileSync(file(), `services:\n  a:\n    versions:\n      v1: { ${version} }\n`);
    const { diagnostics } = await loadFiles([file()], { PATH: join(directory, 'bin'), ...env });
    return diagnostics.map(({ line, column, code, path }) => `${line}:${column} ${code} ${path}`);
  }

  test.each([
    ['run: tool x', []],
    ['run: ../bin/tool', []],
    ['run: nothere', ['4:18 E_PROC_COMMAND services.a.versions.v1.run']],
    ['run: ./tool', ['4:18 E_PROC_COMMAND services.a.versions.v1.run']],
    ['run: text', ['4:18 E_PROC_COMMAND services.a.versions.v1.run']],
    ['run: ../bin', ['4:18 E_PROC_COMMAND services.a.versions.v1.run']],
    ['run: tool, env: { A: "${NOT_SET}" }', ['4:34 E_CONFIG_ENV services.a.versions.v1.env.A']],
    ['run: "tool ${NOT_SET}"', ['4:18 E_CONFIG_ENV services.a.versions.v1.run']],
    ['run: tool, env: { A: "${IS_SET} $${NOT_SET} ${PORT}" }', []],
    ['run: tool, env: { A: { file: nothere } }', ['4:31 E_SECRET_PATH services.a.versions.v1.env.A']],
    ['run: tool, env: { A: { file: ../outside } }', ['4:31 E_SECRET_PATH services.a.versions.v1.env.A']],
    ['run: tool, env: { A: { file: link } }', ['4:31 E_SECRET_PATH services.a.versions.v1.env.A']],
    ['run: tool, env: { A: { file: open } }', ['4:31 W_SECRET_PERMS services.a.versions.v1.env.A']],
    ['run: tool, env: { A: { file: closed } }', []],
  ])('%s', async (version, expected) => {
    writeFileSync(join(directory, 'outside'), 'x', { mode: 0o600 });
    symlinkSync(join(directory, 'outside'), join(directory, 'conf/link'));
    writeFileSync(join(directory, 'conf/open'), 'x');
    chmodSync(join(directory, 'conf/open'), 0o644);
    writeFileSync(join(directory, 'conf/closed'), 'x', { mode: 0o600 });
    expect(await said(version, { IS_SET: '1' })).toEqual(expected);
  });

  test('without the environment nothing of the machine is asked', () => {
    expect(loadText('x', 'services: { a: { versions: { v1: { run: "nothere ${NOT_SET}" } } } }\n').diagnostics).toEqual([]);
  });

  test('the environment of a process is what is listed and declared, not what Serin has', () => {
    writeFileSync(join(directory, 'conf/key'), 's3cret\n', { mode: 0o600 });
    const hostEnv = {
      PATH: join(directory, 'bin'),
      HOME: '/home/me',
      SERIN_STATE: '/state',
      AWS_KEY: 'x',
      STARS: 'red',
      NODE_OPTIONS: '--inspect',
    };
    const spec = { command: ['tool', '--port=${PORT}'], env: { COLOR: '${STARS}', KEY: { file: 'key' }, RAW: '$${STARS}' } };
    const { program } = planProgram(spec, join(directory, 'conf'), hostEnv, 4711);
    expect(program).toEqual({
      file: join(directory, 'bin/tool'),
      args: ['--port=4711'],
      env: { PATH: join(directory, 'bin'), HOME: '/home/me', PORT: '4711', COLOR: 'red', KEY: 's3cret', RAW: '${STARS}' },
      directory: join(directory, 'conf'),
      secrets: ['s3cret'],
    });
  });
});
