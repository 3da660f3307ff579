/** Metrics and webhooks over a real state and real sockets, with time that moves when told: what survives what, and what is never sent. */
import { createServer, type Server } from 'node:http';
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../../base/clock.ts';
import { loadText } from '../../../config/load.ts';
import type { Snapshot } from '../../../config/snapshot.ts';
import type { Situation } from '../../../rollout/situation.ts';
import type { RolloutState } from '../../../rollout/state.ts';
import { newState } from '../../../rollout/state.ts';
import { plan } from '../../../rollout/plan.ts';
import { isRefusal, start } from '../../../rollout/verbs.ts';
import { silentLogger } from '../../logger.ts';
import { openState, type State, StateWriteError } from '../../state.ts';
import { guarded } from './http-call.ts';
import { ReleaseChecks } from './release-checks.ts';

const NAME = 'default/reviews';
const READY = { isReady: true, reason: '' };
const CALM: Situation = { nowMs: 0, passedMs: 0, isInForce: true, canary: READY, stable: READY };

let server: Server;
let url: string;
let asked: string[];
let status: number;
let directory: string;
let clock: ManualClock;
let state: State;
let isDiskFull: boolean;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(status).end('{"rate":1}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  url = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
});

afterAll(
  () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
);

beforeEach(() => {
  asked = [];
  status = 200;
  isDiskFull = false;
  directory = mkdtempSync(join(tmpdir(), 'serin-checks-'));
  clock = new ManualClock(Date.parse('2026-01-02T03:04:05Z'));
  state = openState(directory, clock);
});

afterEach(() => {
  state.close();
  rmSync(directory, { recursive: true, force: true });
});

function snapshot(rollout: string): Snapshot {
  const { snapshot: found, diagnostics } = loadText(
    'a.yaml',
    `services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }
    rollout: { stable: v1, canary: v2, steps: [{ setWeight: 10 }, { pause: {} }, { setWeight: 100 }], ${rollout.replaceAll('URL', url)} }
`,
  );
  expect(diagnostics).toEqual([]);
  return found;
}

/** As after a start of the process: what is on the disk, and nothing else. */
function checks(of: Snapshot): ReleaseChecks {
  const fragile: State = {
    notices: [],
    readOnly: undefined,
    get: (name) => state.get(name),
    put: (name, body, change) => state.put(name, body, change),
    putAll: (documents, changes) => {
      if (isDiskFull) throw new StateWriteError('E_STATE_FULL', 'no space left');
      state.putAll(documents, changes);
    },
    names: (prefix) => state.names(prefix),
    close: () => undefined,
  };
  const found = new ReleaseChecks({ state: fragile, clock, logger: silentLogger(), hostEnv: {} });
  found.configure(of);
  return found;
}

function begun(of: Snapshot): RolloutState {
  const spec = of.rollouts[0]?.spec;
  if (spec === undefined) throw new Error('no Rollout');
  const result = start(newState({ stable: 'v1', canaries: ['v2'] }), CALM, spec, NAME, 'test', 'test');
  if (isRefusal(result)) throw new Error(result.reason);
  return result.state;
}

const release = (found: RolloutState): Parameters<ReleaseChecks['look']>[0] => ({ name: NAME, host: 'reviews', state: found, records: [] });

/** Runs `work` and waits until what it has asked is answered, and the answer taken in; the test's own time limit ends it otherwise. */
async function answered(found: ReleaseChecks, work: () => void): Promise<void> {
  const seen = (): string => JSON.stringify(found.shown(NAME));
  work();
  const before = seen();
  while (seen() === before) await new Promise(setImmediate);
}

const METRIC = (more = ''): string =>
  `analysis: { metrics: [{ name: rate, interval: 10s, failureLimit: 1, ${more} successCondition: result > 5, provider: { web: { url: "URL/rate", jsonPath: "$.rate" } } }] }`;

describe('metrics', () => {
  test('are measured every interval, counted over a restart, and begin anew when they are changed', async () => {
    const of = snapshot(METRIC());
    const running = plan(begun(of), CALM).state;
    const first = checks(of);
    const tick = (target: ReleaseChecks): void => {
      target.look(release(running));
      target.flush();
    };
    await answered(first, () => tick(first));
    clock.advance(9999);
    tick(first);
    expect(asked).toHaveLength(1);
    first.close();

    const second = checks(of);
    tick(second);
    expect(asked).toHaveLength(1);
    expect(second.shown(NAME).metrics[0]?.run).toMatchObject({ failed: 1, phase: 'Running' });
    clock.advance(1);
    await answered(second, () => tick(second));
    expect(second.look(release(running))?.harm?.message).toContain('metric rate is 1 where result > 5 is required');
    expect(plan(running, { ...CALM, checks: second.look(release(running)) ?? {} }).records[0]?.action).toBe('rollback');

    const changed = snapshot(METRIC().replace('> 5', '> 0'));
    second.configure(changed);
    await answered(second, () => tick(second));
    expect(second.look(release(running))?.harm).toBeUndefined();
    expect(second.shown(NAME).metrics[0]?.run).toMatchObject({ successful: 1, failed: 0 });
    // A Rollout that is gone leaves nothing behind in memory.
    second.configure(loadText('b.yaml', 'services: { a: { versions: { v1: "http://127.0.0.1:1" } } }').snapshot);
    expect(second.look(release(running))).toBeUndefined();
  });

  test('wait for the first request and for initialDelay', async () => {
    const of = snapshot(METRIC('initialDelay: 30s,'));
    const found = checks(of);
    const waiting = begun(of);
    found.look(release(waiting));
    clock.advance(60_000);
    found.look(release(waiting));
    expect(found.shown(NAME).metrics[0]?.run).toBeUndefined();
    const running = plan(waiting, CALM).state;
    found.look(release(running));
    clock.advance(29_999);
    found.look(release(running));
    expect(asked).toEqual([]);
    clock.advance(1);
    await answered(found, () => found.look(release(running)));
    expect(asked).toEqual(['/rate']);
  });

  test('a document that cannot be read begins anew', () => {
    const of = snapshot(METRIC());
    state.put(`rollout-checks/${NAME}`, '{"version":1,"metrics":{"rate":{"failed":-1}}}', { actor: 'a', action: 'b', target: 'c' });
    const found = checks(of);
    found.look(release(plan(begun(of), CALM).state));
    expect(found.shown(NAME).metrics[0]?.run).toMatchObject({ failed: 0 });
    found.close();
  });
});

describe('webhooks', () => {
  const GATE = 'webhooks: [{ name: gate, type: confirm-rollout, url: "URL/gate" }]';

  test('nothing is sent while it cannot be written down, and once when it can', async () => {
    const of = snapshot(GATE);
    const found = checks(of);
    const waiting = begun(of);
    const situation = (): Situation => ({ ...CALM, checks: found.look(release(waiting)) ?? {} });
    expect(plan(waiting, situation())).toMatchObject({ records: [], asks: true });
    found.gate(NAME, true);
    isDiskFull = true;
    for (let tick = 0; tick < 3; tick++) {
      found.look(release(waiting));
      expect(() => found.flush()).toThrow(StateWriteError);
      clock.advance(20_000);
    }
    expect(asked).toEqual([]);
    isDiskFull = false;
    await answered(found, () => found.flush());
    expect(asked).toEqual(['/gate']);
    expect(plan(waiting, situation()).records[0]?.action).toBe('step');
    // A yes is kept over a restart, and asked for no more.
    found.flush();
    found.close();
    const second = checks(of);
    second.gate(NAME, true);
    expect(plan(waiting, { ...CALM, checks: second.look(release(waiting)) ?? {} }).records[0]?.action).toBe('step');
    second.flush();
    expect(asked).toEqual(['/gate']);
  });

  test('what is sent once is in the copy of the state too, so that a damaged state sends nothing again', async () => {
    const of = snapshot('webhooks: [{ name: acceptance, type: pre-rollout, url: "URL/pre" }]');
    const found = checks(of);
    const waiting = begun(of);
    found.look(release(waiting));
    found.gate(NAME, true);
    await answered(found, () => {
      found.look(release(waiting));
      found.flush();
    });
    expect(asked).toEqual(['/pre']);
    found.close();
    state.close();
    truncateSync(join(directory, 'state.db'), 0);
    for (const log of ['state.db-wal', 'state.db-shm']) rmSync(join(directory, log), { force: true });
    state = openState(directory, clock);
    expect(state.notices.map(({ code }) => code)).toEqual(['W_STATE_RECOVERED']);
    const second = checks(of);
    second.look(release(waiting));
    second.gate(NAME, true);
    clock.advance(60_000);
    expect(second.look(release(waiting))?.undecided?.message).toContain('its answer is lost');
    second.flush();
    expect(asked).toEqual(['/pre']);
  });

  test('a refusal is asked again after the interval only', async () => {
    const of = snapshot(GATE);
    status = 403;
    const found = checks(of);
    const waiting = begun(of);
    const tick = (): void => {
      found.look(release(waiting));
      found.gate(NAME, true);
      found.flush();
    };
    tick();
    await answered(found, tick);
    clock.advance(9999);
    tick();
    expect(asked).toHaveLength(1);
    clock.advance(1);
    await answered(found, tick);
    expect(asked).toHaveLength(2);
    expect(found.shown(NAME).webhooks[0]?.run).toMatchObject({ phase: 'refused', attempts: 2, refusals: 2 });
  });
});

test.each<[addresses: string[], isAllowed: boolean]>([
  [['127.0.0.1'], true],
  [['10.1.2.3', 'fd12::1'], true],
  [['169.254.169.254'], false],
  [['93.184.216.34', '169.254.169.254'], false],
  [['::ffff:169.254.169.254'], false],
])('a name that resolves to %j may be asked: %s', async (addresses, isAllowed) => {
  const lookup = guarded((_name, _options, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    ),
  );
  for (const all of [true, false]) {
    const error = await new Promise<Error | null>((resolve) => {
      lookup('name.example', { all }, (found) => resolve(found));
    });
    expect(error === null).toBe(isAllowed);
  }
});
