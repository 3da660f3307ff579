import { describe, expect, test } from 'vitest';
import { BACKENDS, route, served, snapshotOf, to } from '../../../test/helpers/gateway-api.ts';
import type { GatewayApiGateway, GatewayApiRoute } from '../../config/gateway-api/types.ts';
import { startCompilation } from '../compilation.ts';
import type { Listener, TcpRoute } from '../table.ts';
import { gatewayApiListeners } from './listeners.ts';
import type { AttachedListener } from './model.ts';
import { RouteCompiler } from './route-compiler.ts';

/** A Gateway with HTTP listeners on one port, by name and hostname. */
function front(listeners: Readonly<Record<string, string | undefined>>, name = 'front', port = 80): string {
  const lines = Object.entries(listeners).map(
    ([section, hostname]) =>
      `    - { name: ${section}, port: ${port}, protocol: HTTP${hostname === undefined ? '' : `, hostname: '${hostname}'`} }\n`,
  );
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: ${name} }
spec:
  gatewayClassName: serin
  listeners:
${lines.join('')}`;
}

function routeFor(
  name: string,
  { section, hosts, path }: { section?: string; hosts?: readonly string[]; path?: string },
  backend = 'v1',
): string {
  const parent = `  parentRefs: [{ name: front${section === undefined ? '' : `, sectionName: ${section}`} }]`;
  const hostnames = hosts === undefined ? '' : `\n  hostnames: [${hosts.map((host) => `'${host}'`).join(', ')}]`;
  const matches = path === undefined ? '' : `matches: [{ path: { value: ${path} } }], `;
  return route('HTTPRoute', name, `[{ ${matches}${to(backend)} }]`, parent + hostnames);
}

describe('host names of routes', () => {
  const { outcome } = served(front({ http: undefined }), routeFor('r', { hosts: ['*.example.com', 'one.org'] }));

  test.each([
    ['a.example.com', 'v1'],
    ['a.b.example.com', 'v1'],
    ['a.example.com:8080', 'v1'],
    ['A.Example.com', 'v1'],
    ['example.com', '404'],
    ['one.org', 'v1'],
    ['a.one.org', '404'],
  ])('a wildcard has one label or more before it: %s is %s (A32)', (host, wanted) => {
    expect(outcome(`GET http://${host}/`)).toBe(wanted);
  });
});

describe('listeners by host name (httproute-listener-hostname-matching)', () => {
  const { outcome } = served(
    front({ one: 'bar.com', two: 'foo.bar.com', three: '*.bar.com', four: '*.foo.com' }),
    routeFor('v1', { section: 'one' }, 'v1'),
    routeFor('v2', { section: 'two' }, 'v2'),
    route(
      'HTTPRoute',
      'v3',
      `[{ ${to('v3')} }]`,
      '  parentRefs: [{ name: front, sectionName: three }, { name: front, sectionName: four }]',
    ),
  );

  test.each([
    ['bar.com', 'v1'],
    ['foo.bar.com', 'v2'],
    ['baz.bar.com', 'v3'],
    ['multiple.prefixes.bar.com', 'v3'],
    ['multiple.prefixes.foo.com', 'v3'],
    ['foo.com', '404'],
    ['no.matching.host', '404'],
  ])('%s is %s', (host, wanted) => {
    expect(outcome(`GET http://${host}/`)).toBe(wanted);
  });
});

describe('host names where listeners and routes meet (httproute-hostname-intersection)', () => {
  const { outcome } = served(
    front({ one: 'very.specific.com', two: '*.wildcard.io', three: '*.anotherwildcard.io' }),
    routeFor('s1', { hosts: ['non.matching.com', '*.nonmatchingwildcard.io', 'very.specific.com'], path: '/s1' }, 'v1'),
    routeFor('s2', { hosts: ['non.matching.com', 'wildcard.io', 'foo.wildcard.io', 'foo.bar.wildcard.io'], path: '/s2' }, 'v2'),
    routeFor('s3', { hosts: ['non.matching.com', '*.specific.com'], path: '/s3' }, 'v3'),
    routeFor('s4', { hosts: ['*.anotherwildcard.io'], path: '/s4' }, 'v1'),
    routeFor('s5', { hosts: ['specific.but.wrong.com', 'wildcard.io'], path: '/s5' }, 'v2'),
  );

  test.each([
    ['very.specific.com/s1', 'v1'],
    ['very.specific.com:1234/s1', 'v1'],
    ['non.matching.com/s1', '404'],
    ['foo.nonmatchingwildcard.io/s1', '404'],
    ['foo.wildcard.io/s1', '404'],
    ['very.specific.com/non-matching-prefix', '404'],
    ['foo.wildcard.io/s2', 'v2'],
    ['foo.bar.wildcard.io/s2', 'v2'],
    ['wildcard.io/s2', '404'],
    ['very.specific.com/s3', 'v3'],
    ['foo.specific.com/s3', '404'],
    ['foo.anotherwildcard.io/s4', 'v1'],
    ['foo.bar.anotherwildcard.io/s4', 'v1'],
    ['anotherwildcard.io/s4', '404'],
    ['specific.but.wrong.com/s5', '404'],
    ['wildcard.io/s5', '404'],
  ])('%s is %s', (url, wanted) => {
    expect(outcome(`GET http://${url}`)).toBe(wanted);
  });
});

describe('listener isolation (gateway-http-listener-isolation)', () => {
  const SECTIONS = { any: undefined, example: '*.example.com', foo: '*.foo.example.com', abc: 'abc.foo.example.com' };
  const HOSTS = ['bar.com', '*.example.com', '*.foo.example.com', 'abc.foo.example.com'];
  const byListener = served(
    front(SECTIONS),
    ...Object.keys(SECTIONS).map((section) => routeFor(section, { section, path: `/${section}` })),
  );
  const byBoth = served(
    front(SECTIONS),
    ...Object.keys(SECTIONS).map((section) => routeFor(section, { section, path: `/${section}`, hosts: HOSTS })),
  );
  const OWNERS = { 'bar.com': 'any', 'bar.example.com': 'example', 'bar.foo.example.com': 'foo', 'abc.foo.example.com': 'abc' };

  test.each(Object.entries(OWNERS))('%s belongs to the listener %s and to no other', (host, owner) => {
    const outcomes = (of: typeof byListener): object =>
      Object.fromEntries(Object.keys(SECTIONS).map((section) => [section, of.outcome(`GET http://${host}/${section}`)]));
    const wanted = Object.fromEntries(Object.keys(SECTIONS).map((section) => [section, section === owner ? 'v1' : '404']));
    expect(outcomes(byListener)).toEqual(wanted);
    expect(outcomes(byBoth)).toEqual(wanted);
  });

  test('a listener without a route keeps its names', () => {
    const { outcome } = served(front({ any: undefined, own: '*.example.com' }), routeFor('r', { section: 'any' }));
    expect(outcome('GET http://a.example.com/')).toBe('404');
    expect(outcome('GET http://example.com/')).toBe('v1');
  });

  test('a listener with a route for some of its names keeps the others', () => {
    const { outcome } = served(
      front({ any: undefined, own: '*.example.com' }),
      routeFor('r', { section: 'any' }),
      routeFor('s', { section: 'own', hosts: ['a.example.com'] }, 'v2'),
    );
    expect(['a', 'b'].map((name) => outcome(`GET http://${name}.example.com/`))).toEqual(['v2', '404']);
  });

  test('it holds between Gateways that share a port', () => {
    const other = front({ own: 'b.example.com' }, 'other');
    const { outcome, table } = served(
      front({ any: undefined }),
      other,
      routeFor('r', {}),
      route('HTTPRoute', 's', `[{ matches: [{ path: { value: /s } }], ${to('v2')} }]`, '  parentRefs: [{ name: other }]'),
    );
    expect(['b.example.com/s', 'b.example.com/', 'c.example.com/s'].map((url) => outcome(`GET http://${url}`))).toEqual([
      'v2',
      '404',
      'v1',
    ]);
    expect(table.listeners.map(({ name, gateways }) => [name, ...gateways])).toEqual([['mesh'], ['80', 'default/front', 'default/other']]);
  });
});

describe('of one listener', () => {
  test('the most specific host name of its routes takes a request, and nothing falls through', () => {
    const { outcome } = served(
      front({ http: undefined }),
      routeFor('wide', { hosts: ['*.example.com'] }, 'v1'),
      routeFor('narrow', { hosts: ['a.example.com'], path: '/a' }, 'v2'),
    );
    expect(['a.example.com/a', 'a.example.com/', 'b.example.com/a'].map((url) => outcome(`GET http://${url}`))).toEqual([
      'v2',
      '404',
      'v1',
    ]);
  });

  test('names with the same routes are one virtual host', () => {
    const { table } = served(front({ http: undefined }), routeFor('r', { hosts: ['a.example', 'b.example', '*.c.example'] }));
    expect(table.listeners[1]?.virtualHosts.map(({ name, domains }) => [name, ...domains])).toEqual([
      ['a.example:80', 'a.example', 'b.example', '*.c.example'],
    ]);
  });
});

describe('listeners that speak TLS', () => {
  const documents = [
    BACKENDS,
    front({ http: undefined }),
    route('HTTPRoute', 'web', `[{ ${to('v1')} }]`),
    route(
      'TLSRoute',
      'bytes',
      `[{ backendRefs: [{ name: v1, port: 8080 }, { name: gone, port: 8080, weight: 3 }] }]`,
      '  parentRefs: [{ name: front }]\n  hostnames: [a.example]',
    ),
  ];
  const snapshot = snapshotOf(...documents);
  const [gateway] = snapshot.gatewayApiGateways;
  const [web] = snapshot.httpRoutes;
  const [bytes] = snapshot.tlsRoutes;
  if (gateway === undefined || web === undefined || bytes === undefined) throw new Error('the fixture has one of each');

  function attached(
    owner: GatewayApiGateway,
    { hostname, protocol, mode }: { hostname?: string; protocol: string; mode?: 'Passthrough' },
    routes: readonly GatewayApiRoute[],
    more: Partial<AttachedListener> = {},
  ): AttachedListener {
    const name = hostname ?? 'any';
    return {
      gateway: owner,
      owner,
      listener: {
        name,
        port: 443,
        protocol,
        ...(hostname === undefined ? {} : { hostname }),
        ...(mode === undefined ? {} : { tls: { mode } }),
      },
      name: `default/front ${name}`,
      tableListener: '443',
      certificates: mode === undefined ? [`secret default/${name}`] : [],
      routes: routes.map((one) => ({ route: one, hostnames: [hostname ?? '*'] })),
      ...more,
    };
  }

  function compiled(...listeners: readonly AttachedListener[]): {
    readonly listener: Listener;
    readonly names: (route: TcpRoute) => string;
  } {
    const compilation = startCompilation(snapshot, [], {});
    const compiler = new RouteCompiler(compilation, (_route, { name, port = 0 }) =>
      name === 'gone'
        ? { kind: 'invalid', reason: 'BackendNotFound', message: 'there is no Service gone' }
        : { kind: 'service', host: `${name}.default.svc.cluster.local`, port },
    );
    const [listener, ...others] = gatewayApiListeners(compiler, { listeners });
    if (listener === undefined || others.length > 0) throw new Error('one table listener is expected');
    const names = ({ clusters }: TcpRoute): string =>
      clusters.map(({ cluster, weight }) => `${weight} ${compilation.clusters.clusters[cluster]?.name}`).join(', ');
    return { listener, names };
  }

  test('end it with their own certificates, and guard their names from each other', () => {
    const { listener } = compiled(
      attached(gateway, { hostname: 'a.example', protocol: 'HTTPS' }, [web], {
        clientValidation: { ca: 'secret default/ca', isUnchecked: false },
      }),
      attached(gateway, { hostname: '*.example', protocol: 'HTTPS' }, [web]),
    );
    expect(
      listener.tls?.map(({ name, serverNames, certificates, clientCertificate, clientCa }) => ({
        name,
        serverNames,
        certificates,
        clientCertificate,
        clientCa,
      })),
    ).toEqual([
      {
        name: 'default/front a.example',
        serverNames: ['a.example'],
        certificates: ['secret default/a.example'],
        clientCertificate: 'required',
        clientCa: 'secret default/ca',
      },
      {
        name: 'default/front *.example',
        serverNames: ['*.example'],
        certificates: ['secret default/*.example'],
        clientCertificate: 'none',
        clientCa: undefined,
      },
    ]);
    expect(listener.virtualHosts.map(({ domains, tlsSite }) => [...domains, tlsSite])).toEqual([
      ['a.example', 'default/front a.example'],
      ['*.example', 'default/front *.example'],
    ]);
  });

  test('need no guard where there is only one', () => {
    const { listener } = compiled(attached(gateway, { protocol: 'HTTPS' }, [web]));
    expect(listener.virtualHosts.map(({ tlsSite }) => tlsSite)).toEqual([undefined]);
    expect(listener.tls?.map(({ serverNames }) => serverNames)).toEqual([['*']]);
  });

  test('pass it on by server name, with the share of an invalid backend kept', () => {
    const { listener, names } = compiled(attached(gateway, { hostname: 'a.example', protocol: 'TLS', mode: 'Passthrough' }, [bytes]));
    expect(listener.tls).toBeUndefined();
    expect(
      listener.passthrough?.map((route) => [route.name, names(route), ...route.matches.flatMap(({ serverNames = [] }) => serverNames)]),
    ).toEqual([
      ['rules[0]', '1 outbound|8080||v1.default.svc.cluster.local, 3 unavailable|8080||gone.default.svc.cluster.local', 'a.example'],
    ]);
  });

  test('pass nothing on for a name that belongs to a listener without routes', () => {
    const { listener, names } = compiled(
      attached(gateway, { hostname: '*.example', protocol: 'TLS', mode: 'Passthrough' }, [bytes]),
      attached(gateway, { hostname: 'a.example', protocol: 'TLS', mode: 'Passthrough' }, []),
    );
    expect(listener.passthrough?.map((route) => [names(route), ...route.matches.flatMap(({ serverNames = [] }) => serverNames)])).toEqual([
      ['1 outbound|8080||v1.default.svc.cluster.local, 3 unavailable|8080||gone.default.svc.cluster.local', '*.example'],
      ['1 unavailable|443||a.example', 'a.example'],
    ]);
  });

  test('end it and pass on what is inside', () => {
    const { listener, names } = compiled(attached(gateway, { hostname: 'a.example', protocol: 'TLS' }, [bytes]));
    expect(listener.passthrough).toBeUndefined();
    expect(listener.virtualHosts).toEqual([]);
    expect(listener.tls?.flatMap(({ tcp = [] }) => tcp.map(names))).toEqual([
      '1 outbound|8080||v1.default.svc.cluster.local, 3 unavailable|8080||gone.default.svc.cluster.local',
    ]);
  });
});
