/** Which listener a URL is explained on; what is explained there is the routing's business. */
import { expect, test } from 'vitest';
import { authority } from '../../test/helpers/certificates.ts';
import { loadText } from '../config/load.ts';
import { compile } from '../routing/compile.ts';
import { explainRequest } from './explain.ts';

const gateway = (name: string, port: number, more: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: ${name} }
spec: { gatewayClassName: serin, listeners: [{ name: web, port: ${port}, ${more} }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec: { parentRefs: [{ name: ${name} }], hostnames: [shop.example.com], rules: [{ filters: [{ type: RequestRedirect, requestRedirect: { hostname: ${name}.example.com } }] }] }
---`;

const { cert, key } = await (await authority()).issue(['shop.example.com']);
const YAML = `${gateway('a', 8000, 'protocol: HTTP')}${gateway('b', 8001, 'protocol: HTTP')}${gateway('c', 8443, 'protocol: HTTPS, tls: { certificateRefs: [{ name: shop }] }')}
apiVersion: v1
kind: Secret
metadata: { name: shop }
type: kubernetes.io/tls
data: { tls.crt: ${Buffer.from(cert).toString('base64')}, tls.key: ${Buffer.from(key).toString('base64')} }
`;

test.each([
  ['http://shop.example.com/', '8000'],
  ['http://shop.example.com:8001/', '8001'],
  ['https://shop.example.com/', '8443'],
  ['http://shop.example.com:8443/', '8443'],
])('%s is explained on listener %s', (url, listener) => {
  const { table } = compile(loadText('serin.yaml', YAML).snapshot);
  const { explanation, considered } = explainRequest(table, [], { url });
  expect([explanation.listener, explanation.outcome]).toEqual([listener, 'redirect']);
  expect(considered[0]).toEqual({ listener: 'mesh', servesHost: false });
});
