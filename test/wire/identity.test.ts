/** What a stranger says of itself is no part of its request: neither for rules nor for values (P41). */
import { describe, expect, test } from 'vitest';
import { loadText } from '../../src/config/load.ts';
import { compile } from '../../src/routing/compile.ts';
import type { RoutingTable } from '../../src/routing/table.ts';
import { values } from '../helpers/reference-message.ts';
import type { RigOptions } from '../helpers/rig.ts';
import { get, rig } from '../helpers/wire.ts';

const RULES = (port: number): RoutingTable => {
  const { snapshot } = loadText(
    'a.yaml',
    `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: a }
spec:
  hosts: [a]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec:
  hosts: [a]
  http:
    - { match: [{ headers: { x-forwarded-for: { exact: 192.0.2.1 } } }], directResponse: { status: 210 } }
    - { match: [{ headers: { x-forwarded-proto: { exact: https } } }], directResponse: { status: 211 } }
    - { match: [{ headers: { x-forwarded-client-cert: {} } }], directResponse: { status: 212 } }
    - { match: [{ headers: { x-envoy-internal: {} } }, { headers: { forwarded: {} } }, { headers: { x-real-ip: {} } }], directResponse: { status: 213 } }
    - { match: [{ headers: { x-forwarded-for: { exact: '192.0.2.1, 127.0.0.1' } } }], directResponse: { status: 214 } }
    - { match: [{ headers: { x-forwarded-proto: { exact: http } } }], headers: { request: { set: { x-client: '%REQ(x-forwarded-for)%', x-scheme: '%REQ(x-forwarded-proto)%' } } }, route: [{ destination: { host: a } }] }
`,
  );
  return compile(snapshot).table;
};

async function sent(
  lines: string,
  options: RigOptions['options'] = {},
): Promise<{ status: number; client: readonly string[]; scheme: readonly string[] }> {
  const started = await rig({ table: RULES, options });
  const client = await started.sent(get(lines));
  const { status } = await client.response();
  const [request] = started.upstream.requests;
  return { status, client: request ? values(request, 'x-client') : [], scheme: request ? values(request, 'x-scheme') : [] };
}

describe('identity', () => {
  test.each([
    '',
    'X-Forwarded-For: 192.0.2.1\r\n',
    'X-Forwarded-Proto: https\r\n',
    'X-Forwarded-Client-Cert: By=me\r\n',
    'X-Envoy-Internal: true\r\n',
    'Forwarded: for=192.0.2.1\r\n',
    'X-Real-IP: 192.0.2.1\r\n',
  ])('[P41] a stranger’s %j is not seen by rules; what the upstream is told is', async (lines) => {
    expect(await sent(lines)).toEqual({ status: 200, client: ['127.0.0.1'], scheme: ['http'] });
  });

  test.each([
    ['X-Forwarded-For: 192.0.2.1\r\n', 214],
    ['X-Forwarded-Proto: https\r\n', 211],
    ['X-Forwarded-Client-Cert: By=me\r\n', 212],
    ['X-Envoy-Internal: true\r\n', 213],
  ])('of a proxy that is believed %j is', async (lines, status) => {
    expect((await sent(lines, { trustedProxies: ['127.0.0.1'] })).status).toBe(status);
  });

  test('a believed proxy’s own address is the last of x-forwarded-for', async () => {
    const seen = await sent('X-Forwarded-For: 192.0.2.9\r\n', { trustedProxies: ['127.0.0.1'] });
    expect(seen).toEqual({ status: 200, client: ['192.0.2.9, 127.0.0.1'], scheme: ['http'] });
  });
});
