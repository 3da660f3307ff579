/** What releases want in force, beside each other, beside the files, and while what these send to is being started. */
import { expect, test } from 'vitest';
import { loadText } from '../../config/load.ts';
import { EMPTY_OVERLAY, type Overlay } from '../../config/overlay.ts';
import type { RolloutSpec } from '../../config/serin/rollout-spec.ts';
import type { Readiness } from '../../rollout/situation.ts';
import { newState, releaseOf, type RolloutState } from '../../rollout/state.ts';
import { desiredOverlay, isSameOverlay, type ReleaseInHand } from './desired-overlay.ts';

const HOST = 'reviews.default.svc.cluster.local';
const BASE = loadText(
  'a.yaml',
  'services: { reviews: { versions: { v1: { run: node a.js }, v2: { run: node a.js }, v3: { run: node a.js } }, routes: [{ to: v1 }] } }\n',
).snapshot;
const SPEC: RolloutSpec = { host: 'reviews', stable: 'v1', canary: 'v2' };

function inHand(name: string, spec: RolloutSpec | undefined, state: RolloutState): ReleaseInHand {
  return { name, spec, stored: { host: HOST, state, records: [], answers: [] }, release: releaseOf(name, state) };
}

const promoted = (stable: string, canary: string): RolloutState => ({
  ...newState({ stable, canaries: [canary] }),
  run: 1,
  epoch: 2,
  outcome: 'promoted',
});
const view = (ready: readonly string[]): { of: (host: string, subset: string) => Readiness } => ({
  of: (_host, subset) => ({ isReady: ready.includes(subset), reason: '', isRun: true }),
});
const now = (overlay: Overlay): { readonly base: typeof BASE; readonly overlay: Overlay } => ({ base: BASE, overlay });

test('a promoted release serves, and what it has replaced need not run, also before the files are read', () => {
  const entry = inHand('default/reviews', SPEC, promoted('v1', 'v2'));
  const expected = { releases: { [HOST]: entry.release }, idle: { [HOST]: { v1: 'v2 serves in its place' } } };
  expect(desiredOverlay([entry], undefined, view([]))).toEqual(expected);
  expect(desiredOverlay([entry], now(EMPTY_OVERLAY), view(['v2']))).toEqual(expected);
});

test('without its Rollout it stays until what the files send to can answer, which has to run for that', () => {
  const entry = inHand('default/reviews', undefined, promoted('v1', 'v2'));
  const { release } = entry;
  const serving = now({ ...EMPTY_OVERLAY, releases: release === undefined ? {} : { [HOST]: release } });
  expect(desiredOverlay([entry], serving, view(['v2']))).toEqual({ releases: { [HOST]: release }, idle: { [HOST]: {} } });
  expect(desiredOverlay([entry], serving, view(['v1', 'v2']))).toEqual({ releases: {}, idle: { [HOST]: {} } });
});

test('what one release of a host needs is not idle because another one does not need it', () => {
  const earlier = inHand('default/earlier', undefined, promoted('v1', 'v2'));
  const next = inHand('default/next', { ...SPEC, canary: 'v3' }, { ...promoted('v1', 'v3'), keptMs: 0 });
  const { idle } = desiredOverlay([earlier, next], now(EMPTY_OVERLAY), view(['v1', 'v2', 'v3']));
  expect(idle).toEqual({ [HOST]: {} });
});

test('is the same while nothing has changed', () => {
  const entry = inHand('default/reviews', SPEC, promoted('v1', 'v2'));
  const desired = desiredOverlay([entry], now(EMPTY_OVERLAY), view(['v2']));
  expect(isSameOverlay({ ...EMPTY_OVERLAY, ...desired }, desiredOverlay([entry], now(EMPTY_OVERLAY), view(['v2'])))).toBe(true);
  expect(isSameOverlay({ ...EMPTY_OVERLAY, ...desired, idle: {} }, desired)).toBe(false);
  expect(isSameOverlay(EMPTY_OVERLAY, desired)).toBe(false);
});
