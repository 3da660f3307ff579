/** What becomes of each kind, and what is said; that nothing else changes is test/convert's. */
import { describe, expect, test } from 'vitest';
import { formatDiagnostic } from '../../base/diagnostic.ts';
import { loadText } from '../../config/load.ts';
import type { AnyResource, ResourceKind } from '../../config/resources.ts';
import { toGatewayApi } from './to-gateway-api.ts';

const SHOP = `services:
  shop: { port: 9080, versions: { v1: http://127.0.0.1:9081, v2: http://127.0.0.1:9082 } }
---
`;

function convert(text: string): {
  readonly of: <K extends ResourceKind>(kind: K) => Extract<AnyResource, { kind: K }>[];
  readonly said: string;
} {
  const loaded = loadText('shop.yaml', text);
  expect(loaded.diagnostics.filter(({ severity }) => severity === 'error').map(formatDiagnostic)).toEqual([]);
  const { resources, changes } = toGatewayApi(loaded.resources);
  return {
    of: <K extends ResourceKind>(kind: K) => resources.filter((each): each is Extract<AnyResource, { kind: K }> => each.kind === kind),
    said: changes.map(formatDiagnostic).join('\n'),
  };
}

const virtualService = (spec: string, meta = 'name: shop'): string =>
  `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { ${meta} }\nspec: ${spec}\n---\n`;
const gateway = (servers: string): string =>
  `apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: { name: front }\nspec: { servers: [${servers}] }\n---\n`;
const to = (subset: string): string => `route: [{ destination: { host: shop, subset: ${subset} } }]`;

describe('order', () => {
  test('a rule before a more specific one names it, at its own line', () => {
    const { said } = convert(
      SHOP +
        virtualService(
          `{ hosts: [shop], http: [{ name: any, match: [{ method: { exact: GET } }], ${to('v1')} },\n  { name: a, match: [{ uri: { exact: /a } }], ${to('v2')} }] }`,
        ),
    );
    expect(said).toContain('shop.yaml:7:31: warning: spec.http[0]: requests that fit a (spec.http[1] of default/shop) too go there');
    expect(said).toContain('[W_CONVERT_ORDER]');
  });

  test('two VirtualServices of one host are compared by the age and names of their routes', () => {
    const rules = (name: string, subset: string): string =>
      virtualService(`{ hosts: [shop], http: [{ name: ${name}, match: [{ uri: { exact: /a } }], ${to(subset)} }] }`, `name: ${name}`);
    expect(convert(SHOP + rules('a', 'v1') + rules('b', 'v2')).said).toBe('');
    expect(convert(SHOP + rules('b', 'v1') + rules('a', 'v2')).said).toContain(
      'requests that fit a (spec.http[0] of default/a) too go there',
    );
  });
});

describe('Services', () => {
  test('a subset is a Service with the endpoints that have its labels', () => {
    const { of } = convert(SHOP);
    expect(of('Service').map(({ metadata }) => metadata.name)).toEqual(['shop', 'shop-v1', 'shop-v2']);
    const slices = of('EndpointSlice').filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'shop-v2');
    expect(slices.map(({ spec }) => [spec.addressType, spec.ports, spec.endpoints])).toEqual([
      ['IPv4', [{ name: 'http', port: 9082 }], [{ addresses: ['127.0.0.1'] }]],
    ]);
  });

  test('a name to look up is an ExternalName, and callers are told its new name', () => {
    const { of, said } = convert(
      'apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: api }\nspec: { hosts: [api.example.com], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS }\n',
    );
    expect(of('Service').map(({ spec }) => [spec.type, spec.externalName])).toEqual([['ExternalName', 'api.example.com']]);
    expect(said).toContain('api.example.com is the Service api: callers of the mesh address it as api.default.svc.cluster.local');
    expect(said).toContain('which many implementations refuse');
  });

  test('a subset of a Service that is not declared selects by its labels', () => {
    const rule =
      'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: r }\nspec: { host: reviews, subsets: [{ name: v1, labels: { version: v1 } }] }\n---\n';
    const { of, said } = convert(
      rule +
        virtualService(
          '{ hosts: [reviews.example], gateways: [front], http: [{ route: [{ destination: { host: reviews, subset: v1, port: { number: 9080 } } }] }] }',
        ) +
        gateway('{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }'),
    );
    expect(of('Service').map(({ metadata, spec }) => [metadata.name, spec.selector, spec.ports?.map(({ port }) => port)])).toEqual([
      ['reviews-v1', { version: 'v1' }, [9080]],
    ]);
    expect(said).toContain('add what reviews itself selects by');
  });

  test('what a DestinationRule says beside TLS is listed field by field', () => {
    const rule =
      'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: r }\nspec: { host: shop, trafficPolicy: { loadBalancer: { simple: ROUND_ROBIN }, outlierDetection: { consecutive5xxErrors: 1 }, tls: { mode: SIMPLE, sni: shop.example } } }\n';
    const { of, said } = convert(SHOP + rule);
    expect(said).toContain('spec.trafficPolicy.loadBalancer');
    expect(said).toContain('spec.trafficPolicy.outlierDetection');
    const [policy] = of('BackendTLSPolicy');
    expect(policy?.spec.targetRefs.map(({ name }) => name)).toEqual(['shop', 'shop-v1', 'shop-v2']);
    expect(policy?.spec.validation).toEqual({ hostname: 'shop.example', wellKnownCACertificates: 'System' });
  });
});

describe('Gateways', () => {
  test('each host of a server is a listener; who may attach is kept', () => {
    const { of, said } = convert(
      gateway(
        '{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*", "./a.example", "team/b.example"] }, { port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"], tls: { mode: SIMPLE, credentialName: cert } }',
      ),
    );
    const [made] = of('GatewayApiGateway');
    expect(made?.spec.gatewayClassName).toBe('serin');
    expect(made?.spec.listeners.map(({ name, hostname, port, protocol }) => [name, hostname, port, protocol])).toEqual([
      ['http', undefined, 80, 'HTTP'],
      ['http-2', 'a.example', 80, 'HTTP'],
      ['http-3', 'b.example', 80, 'HTTP'],
      ['https', undefined, 443, 'HTTPS'],
    ]);
    expect(made?.spec.listeners.map(({ allowedRoutes }) => allowedRoutes?.namespaces)).toEqual([
      { from: 'All' },
      { from: 'Same' },
      { from: 'Selector', selector: { matchLabels: { 'kubernetes.io/metadata.name': 'team' } } },
      { from: 'All' },
    ]);
    expect(made?.spec.listeners[3]?.tls).toEqual({ mode: 'Terminate', certificateRefs: [{ name: 'cert' }] });
    expect(said).toBe('');
  });

  test('a server that lets in few clients is left out rather than opened to more', () => {
    const { of, said } = convert(
      gateway(
        '{ port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"], tls: { mode: MUTUAL, credentialName: cert, subjectAltNames: [a] } }',
      ),
    );
    expect(of('GatewayApiGateway')).toEqual([]);
    expect(said).toContain('which client certificates are let in can only be said by their CA');
  });

  test('httpsRedirect is a route with 301, and other routes stay off the listener', () => {
    const { of } = convert(
      SHOP +
        gateway(
          '{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"], tls: { httpsRedirect: true } }, { port: { number: 443, name: https, protocol: HTTPS }, hosts: ["*"], tls: { mode: SIMPLE, credentialName: cert } }',
        ) +
        virtualService(`{ hosts: [a.example], gateways: [front], http: [{ ${to('v1')} }] }`),
    );
    expect(of('HTTPRoute').map(({ metadata, spec }) => [metadata.name, spec.parentRefs])).toEqual([
      ['front-https-redirect', [{ name: 'front', sectionName: 'http' }]],
      ['shop', [{ name: 'front', sectionName: 'https' }]],
    ]);
    expect(of('HTTPRoute')[0]?.spec.rules).toEqual([
      { filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https', statusCode: 301 } }] },
    ]);
  });
});

test('a Service of another namespace is referred to with a ReferenceGrant', () => {
  const { of } = convert(
    SHOP +
      gateway('{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"] }') +
      virtualService(
        '{ hosts: [a.example], gateways: [default/front], http: [{ route: [{ destination: { host: shop.default.svc.cluster.local } }] }] }',
        'name: shop, namespace: team',
      ),
  );
  expect(of('HTTPRoute').map(({ metadata, spec }) => [metadata.namespace, spec.parentRefs, spec.rules?.[0]?.backendRefs])).toEqual([
    ['team', [{ name: 'front', namespace: 'default' }], [{ name: 'shop', namespace: 'default', port: 9080 }]],
  ]);
  expect(of('ReferenceGrant').map(({ metadata, spec }) => [metadata.namespace, spec.from])).toEqual([
    ['default', [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'team' }]],
  ]);
});

test('TLS that is passed on by name is a TLSRoute', () => {
  const { of, said } = convert(
    SHOP +
      gateway('{ port: { number: 443, name: tls, protocol: TLS }, hosts: [a.example], tls: { mode: PASSTHROUGH } }') +
      virtualService(
        '{ hosts: [a.example], gateways: [front], tls: [{ match: [{ sniHosts: [a.example] }], route: [{ destination: { host: shop, subset: v1 } }] }] }',
      ),
  );
  expect(of('TLSRoute').map(({ spec }) => spec)).toEqual([
    {
      parentRefs: [{ name: 'front', sectionName: 'tls' }],
      hostnames: ['a.example'],
      rules: [{ backendRefs: [{ name: 'shop-v1', port: 9080 }] }],
    },
  ]);
  expect(said).toBe('');
});

test('more rules than a route may have are several routes', () => {
  const rules = Array.from(
    { length: 20 },
    (_, index) => `{ match: [{ uri: { exact: /r${index} } }], ${to(index % 2 === 0 ? 'v1' : 'v2')} }`,
  );
  const { of } = convert(SHOP + virtualService(`{ hosts: [shop], http: [${rules.join(', ')}] }`));
  expect(of('HTTPRoute').map(({ metadata, spec }) => [metadata.name, spec.rules?.length])).toEqual([
    ['shop', 16],
    ['shop-2', 4],
  ]);
});

test('a service whose rules are all left out stays closed', () => {
  const { of, said } = convert(
    SHOP + virtualService(`{ hosts: [shop], http: [{ match: [{ withoutHeaders: { cookie: {} } }], ${to('v1')} }] }`),
  );
  expect(of('HTTPRoute').map(({ metadata, spec }) => [metadata.name, spec.rules])).toEqual([['shop-closed', [{}]]]);
  expect(said).toContain('one that answers everything with 500 keeps them closed');
});

test('weights beyond the largest keep their proportion as far as it can be said', () => {
  const { of, said } = convert(
    SHOP +
      virtualService(
        '{ hosts: [shop], http: [{ route: [{ destination: { host: shop, subset: v1 }, weight: 3000000 }, { destination: { host: shop, subset: v2 }, weight: 1 }] }] }',
      ),
  );
  expect(of('HTTPRoute')[0]?.spec.rules?.[0]?.backendRefs?.map(({ weight }) => weight)).toEqual([1_000_000, 1]);
  expect(said).toContain('weights go up to 1000000: 1 becomes 1');
});
