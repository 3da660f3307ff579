/** Which versions need not run, from files and what releases say: whatever a rule in force sends to runs. */
import { expect, test } from 'vitest';
import { loadText } from '../config/load.ts';
import { applyOverlay, EMPTY_OVERLAY, type Overlay } from '../config/overlay.ts';
import type { ReleaseOverlay } from '../config/release.ts';
import { compile } from '../routing/compile.ts';
import { idleVersions } from './idle-versions.ts';

const HOST = 'reviews.default.svc.cluster.local';
const RELEASE: ReleaseOverlay = {
  rollout: 'default/reviews',
  stable: 'v1',
  canaries: ['v2'],
  weights: { v2: 10_000, v1: 0 },
  headerRoutes: [],
  epoch: 3,
};
const RELEASED: Overlay = { ...EMPTY_OVERLAY, releases: { [HOST]: RELEASE }, idle: { [HOST]: { v1: 'v2 serves in its place' } } };

function idle(routes: string, overlay: Overlay, rollout = ''): string[] {
  const versions = ['v1', 'v2', 'v3'].map((name) => `${name}: { run: node ${name}.js }`).join(', ');
  const { snapshot } = loadText('a.yaml', `services: { reviews: { versions: { ${versions} }, ${routes} ${rollout} } }\n`);
  const applied = applyOverlay(snapshot, overlay).snapshot;
  return [...idleVersions(applied, compile(applied).table, overlay.idle)].map(([id, why]) => `${id}: ${why}`);
}

test.each<[what: string, routes: string, overlay: Overlay, rollout: string, expected: string[]]>([
  ['without a release everything runs', 'routes: [{ to: v1 }]', EMPTY_OVERLAY, '', []],
  [
    'a canary that nobody has started',
    'routes: [{ to: v1 }]',
    EMPTY_OVERLAY,
    ', rollout: { stable: v1, canary: v2 }',
    ['default/reviews/v2: its release has not started'],
  ],
  [
    'one that gets a share by the files',
    'routes: [{ split: { v1: 90, v2: 10 } }]',
    EMPTY_OVERLAY,
    ', rollout: { stable: v1, canary: v2 }',
    [],
  ],
  [
    'one whose share by the files is 0',
    'routes: [{ split: { v1: 100, v2: 0 } }]',
    EMPTY_OVERLAY,
    ', rollout: { stable: v1, canary: v2 }',
    ['default/reviews/v2: its release has not started'],
  ],
  ['a service without rules sends to all', '', EMPTY_OVERLAY, 'rollout: { stable: v1, canary: v2 }', []],
  ['what a release has replaced', 'routes: [{ to: v1 }]', RELEASED, '', ['default/reviews/v1: v2 serves in its place']],
  ['a rule for some requests keeps it', 'routes: [{ match: { headers: { end-user: jason } }, to: v1 }, { to: v2 }]', RELEASED, '', []],
  [
    'a subset that is not there',
    'routes: [{ to: v1 }]',
    { ...EMPTY_OVERLAY, idle: { [HOST]: { v9: 'gone' }, other: { v1: 'gone' } } },
    '',
    [],
  ],
])('%s', (_what, routes, overlay, rollout, expected) => {
  expect(idle(routes, overlay, rollout)).toEqual(expected);
});

test('a version that gets copies of requests runs', () => {
  const mirrored = { ...RELEASED, releases: { [HOST]: { ...RELEASE, mirror: { to: 'v1', percentage: 10 } } } };
  expect(idle('routes: [{ to: v1 }]', mirrored)).toEqual([]);
});
