/** `serin simulate` in-process: what it prints, and how it fails. The figures themselves: simulate/simulate.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runHere, type Ran } from '../../test/helpers/serin-command.ts';

const CONFIG = `
services:
  reviews:
    versions: { v2: http://127.0.0.1:9082, v3: http://127.0.0.1:9083 }
    routes: [{ to: v2 }]
    rollout: { stable: v2, canary: v3, steps: [{ setWeight: 50 }, { analysis: {} }, { setWeight: 100 }] }
`;
const RATINGS = `
  ratings:
    versions: { v1: http://127.0.0.1:9084, v2: http://127.0.0.1:9085 }
    routes: [{ to: v1 }]
    rollout: { stable: v1, canary: v2, steps: [{ setWeight: 100 }] }
`;

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-simulate-'));
  file = join(directory, 'serin.yaml');
  writeFileSync(file, CONFIG);
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const simulate = (args: readonly string[], areMessagesSeen = false): Promise<Ran> =>
  runHere(['simulate', ...args], { areMessagesSeen, input: CONFIG });

/** Few and short, so that the tests are about the words. */
const QUICK = ['--runs', '3', '--within', '5m'];

describe('what it prints', () => {
  test('the plan, a table for each version, false alarms in sentences, and what they assume', async () => {
    const { code, out, err } = await simulate(['-f', file, ...QUICK]);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^Rollout default\/reviews: v3 beside v2\nplan: setWeight 50; analysis; setWeight 100\n/);
    expect(out).toContain('traffic: 100 requests/s, 1 % fail, p50 80 ms, p99 256 ms; 3 runs of 5m at most');
    for (const title of ['A good release', 'Every request fails', '3 % of requests fail instead of 1 %', '20 % slower'])
      expect(out).toMatch(new RegExp(`\n${title}\n +PROMOTED .*\nSerin .*\nFlagger .*\nArgo .*\n`));
    expect(out).toMatch(
      /\nSerin stops or holds a good release in \d of 3 runs: a false alarm has a probability of .* \(95 % interval .* to .*\)/,
    );
    expect(out).toContain('These figures assume:\n- ');
  });

  test('traffic and regressions as stated', async () => {
    const stated = ['--rate', '600/min', '--errors', '0.5%', '--latency', 'p50=20ms,p99=1.5s', '--regression', 'errors=x4,latency=+50%'];
    const { code, out } = await simulate(['-f', file, ...QUICK, ...stated]);
    expect(code).toBe(0);
    expect(out).toContain('traffic: 10 requests/s, 0.5 % fail, p50 20 ms, p99 1500 ms');
    expect(out).toContain('\n2 % of requests fail instead of 0.5 %, 50 % slower\n');
    expect(out).not.toContain('Every request fails');
  });

  test('-o json: shares, seconds, harm; the same for the same seed', async () => {
    const args = ['-f', file, ...QUICK, '--regression', 'errors=100%', '--seed', '7', '-o', 'json'];
    const { code, out } = await simulate(args);
    expect(code).toBe(0);
    const found: unknown = JSON.parse(out);
    expect(found).toMatchObject({
      rollout: 'default/reviews',
      stable: 'v2',
      canaries: ['v3'],
      users: null,
      traffic: { requestsPerSecond: 100, failing: 0.01, p50Ms: 80, p99Ms: 256 },
      runs: 3,
      seed: 7,
      withinSeconds: 300,
      versions: [
        { isRegression: false, results: [{ by: 'Serin' }, { by: 'Flagger' }, { by: 'Argo' }] },
        {
          isRegression: true,
          failing: 1,
          results: [
            { by: 'Serin', promoted: 0, stopped: 1, secondsToPromotion: { median: null }, alarm: { runs: 3, high: 1 } },
            { by: 'Flagger', undecided: 1 },
            { by: 'Argo', stopped: 1, secondsToStop: { median: 240, p90: 240 } },
          ],
        },
      ],
    });
    expect((await simulate(args)).out).toBe(out);
    expect((await simulate(args.with(args.indexOf('7'), '8'))).out).not.toBe(out);
  });

  test('users, where the Rollout assigns by user', async () => {
    writeFileSync(file, CONFIG.replace('stable: v2,', 'stable: v2, assignment: { by: user, cookie: id },'));
    const { code, out } = await simulate(['-f', file, ...QUICK, '--users', '500']);
    expect(code).toBe(0);
    expect(out).toContain('The requests are those of 500 users');
  });

  test('without a Rollout it is the automatic ramp', async () => {
    writeFileSync(file, CONFIG.replace(/ +rollout:.*\n/, ''));
    const { code, out } = await simulate(['-f', file, ...QUICK]);
    expect(code).toBe(0);
    expect(out).toMatch(/^no Rollout in namespace default: the automatic ramp: .*\nplan: measure traffic; setWeight 1 while it warms up; /);
  });

  test('a progress line where messages go to a terminal, wiped at the end', async () => {
    const { err } = await simulate(['-f', file, ...QUICK], true);
    expect(err).toMatch(/^(?:\rsimulating: \d+ %)+\r\u001b\[K$/);
  });

  test('from standard input', async () => {
    expect(await simulate(['-f', '-', ...QUICK])).toMatchObject({ code: 0, err: '' });
  });
});

describe('which Rollout', () => {
  beforeEach(() => {
    writeFileSync(file, CONFIG + RATINGS);
  });

  test.each([
    [['ratings'], /^Rollout default\/ratings: v2 beside v1\n/],
    [['reviews'], /^Rollout default\/reviews: v3 beside v2\n/],
  ])('%j', async (args, shown) => {
    const { code, out } = await simulate(['-f', file, ...QUICK, ...args]);
    expect(code).toBe(0);
    expect(out).toMatch(shown);
  });

  test('a pattern the shell has made several paths of, and a name after them', async () => {
    const other = join(directory, 'other.yaml');
    writeFileSync(file, CONFIG);
    writeFileSync(other, `services:${RATINGS}`);
    expect((await simulate(['-f', file, other, 'ratings', ...QUICK])).out).toMatch(/^Rollout default\/ratings/);
  });

  test.each<[readonly string[], number, RegExp]>([
    [[], 2, /which rollout\? Namespace default has .*ratings/],
    [['reviws'], 5, /no Rollout reviws in namespace default.*\n.*did you mean reviews\?/],
    [['zzzzzzzz'], 5, /there is .*reviews/],
    [['reviews', '-n', 'other'], 5, /in namespace other/],
    [['reviews', '--regression', 'errors=1%'], 2, /--regression errors=1% is no worse than stable, of which 1 % of requests fail/],
    [['reviews', '--regression', 'latency=x0.5'], 2, /no worse/],
    [['reviews', '--users', '100'], 2, /--users is for a Rollout with assignment: \{ by: user \}/],
  ])('%j: exit %d', async (args, code, message) => {
    const found = await simulate(['-f', file, ...QUICK, ...args]);
    expect([found.code, found.out]).toEqual([code, '']);
    expect(found.err).toMatch(message);
  });

  test('invalid files: exit 3, with the place', async () => {
    writeFileSync(file, CONFIG.replace('setWeight: 50', 'setWeight: 500'));
    const { code, out, err } = await simulate(['-f', file]);
    expect([code, out]).toEqual([3, '']);
    expect(err).toMatch(/serin\.yaml:6:\d+: error: [\s\S]*the configuration is invalid/);
  });
});
