import { expect, test } from 'vitest';
import { loadText } from './load.ts';

const CONFIG = `
services: { mongo: { versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 } } }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec: { servers: [{ port: { number: 27017, name: tcp, protocol: TCP }, hosts: ['*'] }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bytes }
spec: { hosts: ['*'], gateways: [front], tcp: [{ route: [{ destination: { host: mongo, subset: v1 } }] }] }
---
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: mongo }
spec: { host: mongo, stable: v1, canary: v2, paused: true, strategy: { canary: { steps: [{ setWeight: 10 }] } } }
`;
const REQUESTS = `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec: { hosts: [mongo], http: [{ route: [{ destination: { host: mongo, subset: v1 } }] }] }
`;

const said = (text: string): readonly string[] =>
  loadText('x.yaml', text)
    .diagnostics.filter(({ code }) => code === 'W_RELEASE_CONNECTIONS')
    .map(({ kind, path, message, hint }) => `${kind} ${path}: ${message}; ${hint}`);

test('a Rollout of a host that only connections go to is told that nothing will come of it, and what works', () => {
  const [warning, ...others] = said(CONFIG);
  expect(others).toEqual([]);
  expect(warning).toMatch(
    /^Rollout spec\.host: rules send connections to "mongo" \(VirtualService default\/bytes spec\.tcp\[0\]\) and no requests: /,
  );
  expect(warning).toMatch(
    /the connections stay as the files say whatever becomes of it, and what waits for evidence gets none; leave the Rollout out .*: serin shift mongo SUBSET=WEIGHT/,
  );
});

test('one of a host that requests go to as well: what it moves and what stays', () => {
  expect(said(`${CONFIG}${REQUESTS}`)).toEqual([
    'Rollout spec.host: the release moves and judges the requests to "mongo"; its connections (VirtualService default/bytes spec.tcp[0]) stay as the files say; state their weights in the files',
  ]);
});

test('nothing is said without such rules', () => {
  expect(said(CONFIG.replace('host: mongo, subset: v1 } }] }] }', 'host: other } }] }] }'))).toEqual([]);
});
