/** `-w` of rollouts and of `serin get` in a terminal, of 60 columns, where its lines wrap, and in a pipe. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { serinHere } from '../helpers/serin-command.ts';
import { serin, SerinProcess } from '../helpers/serin-process.ts';
import { Terminal } from '../helpers/terminal.ts';
import { serinInTerminal } from '../helpers/terminal-session.ts';
import { startUpstream, type Upstream } from '../helpers/upstream.ts';

let v1: Upstream;
let v2: Upstream;
let directory: string;
let state: string;
let daemon: SerinProcess;
let config: string;

beforeAll(async () => {
  [v1, v2] = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
});

afterAll(() => Promise.all([v1.close(), v2.close()]));

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-watch-'));
  state = join(directory, 'state');
  config = join(directory, 'config.yaml');
  writeFileSync(
    config,
    `
services:
  reviews:
    versions: { v1: http://127.0.0.1:${v1.port}, v2: http://127.0.0.1:${v2.port} }
    routes: [{ to: v1 }]
    rollout:
      stable: v1
      canary: v2
      paused: true
      steps: [{ pause: { duration: 4s } }, { setWeight: 100 }]
`,
  );
  daemon = new SerinProcess(['up', '-f', config, '--state', state, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']);
  await daemon.ready();
});

afterEach(async () => {
  await daemon.end();
  rmSync(directory, { recursive: true, force: true });
});

test('in a terminal the page is drawn over: only the last one stands there', async () => {
  const text = await serinInTerminal(['rollout', 'start', 'reviews', '-w', '--state', state], { columns: 60 }).finished;
  expect(text).toMatch(/\d+s left/);
  const { text: screen } = new Terminal(60).write(text);
  expect(screen).toMatch(/^reviews {2}Healthy {2}v2 is promoted/);
  expect(screen.match(/^host/gm)).toHaveLength(1);
  expect(screen).not.toContain('left');
});

test('in a pipe it is the page once, then a line for each decision', async () => {
  const { code, out } = await serin(['rollout', 'start', 'reviews', '-w', '--state', state]);
  expect(code).toBe(0);
  expect(out).not.toContain('\u001b');
  expect(out.match(/^host/gm)).toHaveLength(1);
  const decisions = out.split('\n').filter((line) => /^\d{4}-\d\d-\d\dT/.test(line));
  expect(decisions.at(-1)).toMatch(/ engine {3}promote {3}100 % {3}v2 is promoted/);
  expect(decisions.some((line) => line.includes('setWeight 100'))).toBe(true);
  expect(new Set(decisions).size).toBe(decisions.length);
});

test('rollout watch without a name shows the only one, and ends with it', async () => {
  await serinHere(['rollout', 'start', 'reviews', '--state', state]);
  const { code, out } = await serin(['rollout', 'watch', '--state', state]);
  expect(code).toBe(0);
  expect(out).toMatch(/^reviews {2}\w+/);
  expect(out).toContain('v2 is promoted');
});

test('rollout watch of several is their list, until all have ended', async () => {
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text + text.replace('\nservices:\n', '').replace('reviews:', 'ratings:').replace('4s', '1s'));
  while (!(await serinHere(['rollout', 'list', '--state', state])).out.includes('ratings')) await sleep(50);
  await serinHere(['rollout', 'start', 'reviews', '--state', state]);
  const piped = serin(['rollout', 'watch', '--state', state]);
  const drawn = serinInTerminal(['rollout', 'watch', '--state', state], { columns: 200 });
  const { out } = await piped;
  expect(out.match(/^NAME/gm)).toHaveLength(1);
  expect(out).toMatch(/^reviews {3}\d{4}-\S+ {3}engine {3}promote {3}100 % {3}v2 is promoted/m);
  const { text: screen } = new Terminal(200).write(await drawn.finished);
  expect(screen.match(/^NAME/gm)).toHaveLength(1);
  expect(screen).toMatch(/^reviews +Healthy/m);
});

describe('serin get -w', () => {
  test('in a terminal draws its table over, and waits for a Serin that is gone', async () => {
    const session = serinInTerminal(['get', 'rollouts', '-w', '--state', state]);
    await session.until(/Healthy/);
    await serinHere(['rollout', 'start', 'reviews', '--state', state]);
    await session.until(/Paused/);
    await daemon.end();
    await session.until(/cannot reach serin at .*Trying again/);
    session.type('\u0003');
    const { text: screen } = new Terminal(80).write((await session.finished).replace('^C', ''));
    expect(screen.match(/^NAME/gm)).toHaveLength(1);
    expect(screen.replaceAll('\n', '')).toContain('Trying again.');
  });

  test.each([
    [[], /^NAME +PHASE[^\n]*\nreviews +Healthy[^\n]*\n(?:reviews [^\n]*\n)*reviews +Paused/],
    [['-o', 'json'], /"phase": "Healthy"[\s\S]*^}\n\{\n[\s\S]*"phase": "Paused"/m],
    [['-o', 'yaml'], /phase: Healthy[\s\S]*^---\napiVersion[\s\S]*phase: Paused/m],
  ])('in a pipe adds what has changed, and ends when Serin is gone: %j', async (more, expected) => {
    const watching = new SerinProcess(['get', 'rollouts', '-w', '--state', state, ...more]);
    await watching.printed(/Healthy/);
    await serinHere(['rollout', 'start', 'reviews', '--state', state]);
    await watching.printed(/Paused/);
    await daemon.end();
    const { code, out, err } = await watching.finished;
    expect(code).toBe(4);
    expect(err).toContain('cannot reach serin');
    expect(out).toMatch(expected);
    expect(out).not.toContain('\u001b');
  });
});
