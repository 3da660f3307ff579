/**
 * What must not go wrong while something else does: reloads under load, exact shares over many requests.
 *
 * `SERIN_FAULT_SECONDS` (default 6) is how long the reload test goes on, with a reload every 0.6 s; `npm run bench:faults` runs it for 60 s, 100
 * reloads.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { RawLoad } from '../helpers/raw-load.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { startUpstream } from '../helpers/upstream.ts';
import type { Upstream } from '../helpers/upstream.ts';

const SECONDS = Number(process.env['SERIN_FAULT_SECONDS'] ?? 6);
const RELOAD_MS = 600;

let v1: Upstream;
let v2: Upstream;
let directory: string;
const started: SerinProcess[] = [];

beforeAll(async () => {
  [v1, v2] = await Promise.all([startUpstream('v1'), startUpstream('v2')]);
});
afterAll(() => Promise.all([v1.close(), v2.close()]));
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-faults-'));
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.end()));
  rmSync(directory, { recursive: true, force: true });
});

function shortForm(weights: { readonly v1: number; readonly v2: number }, marker = ''): string {
  return `# ${marker}
services:
  app:
    versions: { v1: 'http://127.0.0.1:${v1.port}', v2: 'http://127.0.0.1:${v2.port}' }
    routes: [{ split: { v1: ${weights.v1}, v2: ${weights.v2} } }]
`;
}

async function up(yaml: string): Promise<SerinProcess> {
  const file = join(directory, 'serin.yaml');
  writeFileSync(file, yaml);
  const process = new SerinProcess([
    'up',
    '-f',
    file,
    '--mesh',
    '127.0.0.1:0',
    '--admin',
    '127.0.0.1:0',
    '--state',
    join(directory, 'state'),
  ]);
  started.push(process);
  return process.ready();
}

test(
  'reloads under load lose no request, and each takes effect',
  async () => {
    const serin = await up(shortForm({ v1: 100, v2: 0 }));
    const load = new RawLoad(serin.address('mesh'), 'app', 16);
    const reloads = Math.floor((SECONDS * 1000) / RELOAD_MS);
    const file = join(directory, 'serin.yaml');
    for (let reload = 1; reload <= reloads; reload++) {
      const before = serin.err.length;
      // Alternately by rename and in place, alternately to v2 alone and to both.
      const text = shortForm(reload % 2 === 1 ? { v1: 0, v2: 100 } : { v1: 50, v2: 50 }, `reload ${reload}`.padEnd(20));
      if (reload % 4 < 2) {
        replaceFile(file, text);
      } else {
        // Not cut to nothing first: an empty file is a configuration, too.
        writeFileSync(file, text, { flag: 'r+' });
      }
      const nextAt = sleep(RELOAD_MS);
      await serin.logged(/configuration (in force|changed)|now \d+ VirtualService/, before);
      await nextAt;
    }
    const { sent, ok, failed, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(failed).toBe(0);
    expect(ok).toBe(sent);
    expect(sent).toBeGreaterThan(reloads * 10);
  },
  SECONDS * 1000 + 60_000,
);

test('shares over 100,000 requests are those of independent draws; weight 0 is nobody', { timeout: 300_000 }, async () => {
  const requests = 100_000;
  const serin = await up(shortForm({ v1: 90, v2: 10 }));
  const split = new RawLoad(serin.address('mesh'), 'app', 32, requests);
  await split.done;
  const canary = split.tally.bodies.get('v2') ?? 0;
  const deviation = Math.sqrt(requests * 0.1 * 0.9);
  expect(split.tally.failures).toEqual([]);
  // Chance alone leaves five once in 1.7 million runs.
  expect(Math.abs(canary - requests * 0.1)).toBeLessThan(5 * deviation);

  const before = serin.err.length;
  writeFileSync(join(directory, 'serin.yaml'), shortForm({ v1: 100, v2: 0 }));
  await serin.logged(/now \d+ VirtualService|in force/, before);
  const none = new RawLoad(serin.address('mesh'), 'app', 32, 20_000);
  await none.done;
  expect(none.tally.bodies.get('v2')).toBeUndefined();
  expect(none.tally.ok).toBe(20_000);
});
