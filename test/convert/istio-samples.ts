/** Random VirtualServices over few words, so that rules meet, and requests over the same words. Everything is drawn from one seeded stream. */
import type { Random } from '../../src/base/random.ts';

export const pick = <Item>(random: Random, items: readonly Item[]): Item => {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
};
export const chance = (random: Random, probability: number): boolean => random() < probability;

const URIS = [
  '{ prefix: / }',
  '{ prefix: /a }',
  '{ prefix: /a/ }',
  '{ prefix: /a/b }',
  '{ prefix: /ab }',
  '{ exact: /a }',
  '{ exact: /a/b }',
  String.raw`{ regex: '/a/\w+' }`,
  "{ regex: '/.*b' }",
  "{ regex: '.*' }",
  '{ prefix: /a//b }',
];
const VALUES = ['{ exact: x }', '{ prefix: x }', "{ regex: 'x.*' }", "{ regex: 'x|y' }", '{}', "{ exact: '' }"];
const METHODS = ['{ exact: GET }', '{ exact: POST }', '{ regex: GET|POST }', '{ prefix: P }'];

function match(random: Random): string {
  const parts: string[] = [];
  if (chance(random, 0.8)) parts.push(`uri: ${pick(random, URIS)}`);
  if (chance(random, 0.1)) parts.push('ignoreUriCase: true');
  if (chance(random, 0.25)) parts.push(`headers: { ${pick(random, ['h1', 'H2'])}: ${pick(random, VALUES)} }`);
  if (chance(random, 0.1)) parts.push(`withoutHeaders: { h1: ${pick(random, ['{}', '{ exact: x }'])} }`);
  if (chance(random, 0.2)) parts.push(`queryParams: { q: ${pick(random, ['{ exact: x }', '{ prefix: x }', '{}'])} }`);
  if (chance(random, 0.15)) parts.push(`method: ${pick(random, METHODS)}`);
  if (chance(random, 0.08)) parts.push(`port: ${pick(random, [80, 9080])}`);
  if (chance(random, 0.08)) parts.push(`gateways: [${pick(random, ['front', 'mesh'])}]`);
  if (chance(random, 0.05)) parts.push('scheme: { exact: http }');
  if (chance(random, 0.05)) parts.push('sourceLabels: { app: a }');
  return `{ ${parts.join(', ')} }`;
}

const HEADERS = [
  'request: { set: { x-a: "1" } }',
  'request: { remove: [x-a], add: { X-A: "2" } }',
  'request: { set: { x-a: "1" }, add: { x-a: "2" } }',
  'response: { remove: [server], set: { x-b: "100%%" } }',
  'request: { set: { x-path: "%REQ(:path)%" } }',
  'request: { set: { host: other.example } }',
];
const REWRITES = [
  '{ uri: / }',
  '{ uri: /z }',
  '{ uri: /z/ }',
  '{ authority: z.example }',
  "{ authority: 'z:80' }",
  "{ uriRegexRewrite: { match: '^/a', rewrite: /z } }",
];
const RETRIES = [
  '{ attempts: 0 }',
  '{ attempts: 2 }',
  '{ attempts: 1, retryOn: "5xx" }',
  '{ attempts: 3, retryOn: "gateway-error,reset,connect-failure,refused-stream", perTryTimeout: 1s }',
];
const CORS = [
  '{ allowOrigins: [{ exact: "https://a.example" }], maxAge: 10s, unmatchedPreflights: IGNORE }',
  '{ allowOrigins: [{ prefix: "https://a" }] }',
  '{ allowOrigin: ["*"], allowMethods: [GET] }',
];
const REDIRECTS = [
  '{ uri: /r }',
  '{ authority: r.example }',
  '{ scheme: https }',
  '{ authority: r.example, redirectCode: 308, derivePort: FROM_REQUEST_PORT }',
  '{ uri: /r, port: 8443 }',
  '{ authority: "r.example:81", derivePort: FROM_PROTOCOL_DEFAULT }',
];

function destination(random: Random, isMany: boolean): string {
  const subset = pick(random, ['v1', 'v2', 'v3', 'v1', 'v2', 'v9']);
  const headers = chance(random, 0.2) ? `, headers: { ${pick(random, HEADERS)} }` : '';
  return `{ destination: { host: shop, subset: ${subset} }${isMany ? `, weight: ${pick(random, [0, 1, 3])}` : ''}${headers} }`;
}

function action(random: Random): string {
  if (chance(random, 0.12)) return `redirect: ${pick(random, REDIRECTS)}`;
  if (chance(random, 0.1))
    return `directResponse: { status: ${pick(random, [404, 500, 403])}${chance(random, 0.3) ? ', body: { string: no }' : ''} }`;
  const isMany = chance(random, 0.3);
  const last = `{ destination: { host: shop, subset: v1 }, weight: 2 }`;
  const route = isMany ? `[${destination(random, true)}, ${last}]` : `[${destination(random, false)}]`;
  const parts = [`route: ${route}`];
  if (chance(random, 0.25)) parts.push(`rewrite: ${pick(random, REWRITES)}`);
  if (chance(random, 0.2)) parts.push(`timeout: ${pick(random, ['1500ms', '2s'])}`);
  if (chance(random, 0.2)) parts.push(`retries: ${pick(random, RETRIES)}`);
  if (chance(random, 0.1)) parts.push('fault: { abort: { percentage: { value: 10 }, httpStatus: 503 } }');
  if (chance(random, 0.15))
    parts.push(`mirrors: [{ destination: { host: shop, subset: v3 }, percentage: { value: ${pick(random, [100, 12.5, 0])} } }]`);
  return parts.join(', ');
}

function rule(random: Random, name: string): string {
  const matches = chance(random, 0.15)
    ? ''
    : `match: [${Array.from({ length: chance(random, 0.3) ? 2 : 1 }, () => match(random)).join(', ')}], `;
  const cors = chance(random, 0.1) ? `, corsPolicy: ${pick(random, CORS)}` : '';
  const headers = chance(random, 0.25) ? `, headers: { ${pick(random, HEADERS)} }` : '';
  return `    - { name: ${name}, ${matches}${action(random)}${cors}${headers} }`;
}

/** A Gateway, a service of three versions, and one or two VirtualServices, whose rules have names of their own. */
export function sample(random: Random): string {
  const services = Array.from({ length: chance(random, 0.3) ? 2 : 1 }, (_, index) => {
    const rules = Array.from({ length: 1 + Math.floor(random() * 4) }, (_none, at) => rule(random, `r${index}-${at}`));
    const gateways = pick(random, ['[front]', '[front, mesh]', '[mesh]']);
    const hosts = gateways === '[mesh]' ? '[shop]' : pick(random, ['[shop, shop.example]', '[shop]']);
    return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${pick(random, ['a', 'b'])}${index} }
spec:
  hosts: ${hosts}
  gateways: ${gateways}
  http:
${rules.join('\n')}
`;
  });
  return `services:
  shop:
    port: 9080
    versions: { v1: http://127.0.0.1:9081, v2: http://127.0.0.1:9082, v3: http://127.0.0.1:9083 }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec: { servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }] }
---
${services.join('---\n')}`;
}
