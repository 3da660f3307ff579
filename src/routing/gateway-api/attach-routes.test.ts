/** Routes and their parents: who takes whom, and what is said of each parentRef, modelled on the conformance suite's tests of statuses. */
import { describe, expect, test } from 'vitest';
import { attached, gateway, httpRoute, type Said, service, servedRoutes } from '../../../test/helpers/attached.ts';

const HTTP = '{ name: http, port: 80, protocol: HTTP }';
const ALL = 'allowedRoutes: { namespaces: { from: All } }';
const OPEN = `{ name: http, port: 80, protocol: HTTP, ${ALL} }`;
const to = (...names: string[]): string => `[{ backendRefs: [${names.map((name) => `{ name: ${name}, port: 80 }`).join(', ')}] }]`;
const route = (parent: string, rules = to('books'), more = ''): string =>
  httpRoute('r', `{ parentRefs: [${parent}]${more}, rules: ${rules} }`);
const BOOKS = service('books');
const GW = gateway('gw', [HTTP]);
const GOOD = { Accepted: 'True Accepted', ResolvedRefs: 'True ResolvedRefs' };
const SAID = 'HTTPRoute default/r 0';

type Row = readonly [what: string, yaml: string, expected: Said];

const namespace = (name: string, labels: string): string => `
apiVersion: v1
kind: Namespace
metadata: { name: ${name}, labels: ${labels} }
---`;
const selecting = (selector: string): string =>
  `{ name: http, port: 80, protocol: HTTP, allowedRoutes: { namespaces: { from: Selector, selector: ${selector} } } }`;
const NOT_ALLOWED = { Accepted: 'False NotAllowedByListeners', ResolvedRefs: 'True ResolvedRefs' };
const TWO = gateway('gw', [HTTP, '{ name: admin, port: 8080, protocol: HTTP, hostname: admin.com }']);

describe('a route', () => {
  test.each<Row>([
    ['of the Gateway’s namespace is taken', GW + BOOKS + route('{ name: gw }'), GOOD],
    [
      'that writes all defaults is taken',
      GW + BOOKS + route('{ group: gateway.networking.k8s.io, kind: Gateway, namespace: default, name: gw }'),
      GOOD,
    ],
    ['to one listener by name is taken', TWO + BOOKS + route('{ name: gw, sectionName: http }'), GOOD],
    [
      'to a listener that is not there is not',
      TWO + BOOKS + route('{ name: gw, sectionName: none }'),
      { Accepted: 'False NoMatchingParent', ResolvedRefs: 'True ResolvedRefs' },
    ],
    ['to a port is taken', TWO + BOOKS + route('{ name: gw, port: 8080 }'), GOOD],
    ['to a port without a listener is not', TWO + BOOKS + route('{ name: gw, port: 81 }'), { Accepted: 'False NoMatchingParent' }],
    [
      'to a name and a port of different listeners is not',
      TWO + BOOKS + route('{ name: gw, port: 8080, sectionName: http }'),
      { Accepted: 'False NoMatchingParent' },
    ],
    [
      'of a kind the listener does not take is not',
      gateway('gw', ['{ name: http, port: 80, protocol: HTTP, allowedRoutes: { kinds: [{ kind: GRPCRoute }] } }']) +
        BOOKS +
        route('{ name: gw }'),
      NOT_ALLOWED,
    ],
    [
      'of HTTP is not taken by a listener for TLS',
      gateway('gw', ['{ name: tls, port: 443, protocol: TLS, tls: { mode: Passthrough } }']) +
        BOOKS +
        route('{ name: gw, sectionName: tls }'),
      NOT_ALLOWED,
    ],
    [
      'is not taken by a listener of an unknown protocol',
      gateway('gw', [HTTP, '{ name: tcp, port: 81, protocol: TCP }']) + BOOKS + route('{ name: gw, sectionName: tcp }'),
      NOT_ALLOWED,
    ],
    [
      'with a hostname of the listener is taken',
      TWO + BOOKS + route('{ name: gw, sectionName: admin }', to('books'), ', hostnames: [admin.com]'),
      GOOD,
    ],
    [
      'with other hostnames is not',
      TWO + BOOKS + route('{ name: gw, sectionName: admin }', to('books'), ", hostnames: [a.com, '*.admin.com']"),
      { Accepted: 'False NoMatchingListenerHostname' },
    ],
    [
      'with a wildcard that means the listener’s hostname is taken',
      gateway('gw', ['{ name: http, port: 80, protocol: HTTP, hostname: www.example.com }']) +
        BOOKS +
        route('{ name: gw }', to('books'), ", hostnames: ['*.example.com']"),
      GOOD,
    ],
    ['that no rule says anything of is taken', GW + httpRoute('r', '{ parentRefs: [{ name: gw }] }'), GOOD],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(yaml).said[SAID]).toMatchObject(expected);
  });

  test.each<readonly [what: string, listener: string, namespaces: string, accepted: boolean]>([
    ['of another namespace is not taken by default', HTTP, '', false],
    ['of another namespace is taken where all are', OPEN, '', true],
    ['is taken for a label of its namespace', selecting('{ matchLabels: { team: web } }'), namespace('web', '{ team: web }'), true],
    ['is not taken for another label', selecting('{ matchLabels: { team: web } }'), namespace('web', '{ team: db }'), false],
    ['is not taken for a label where nobody has declared the namespace', selecting('{ matchLabels: { team: web } }'), '', false],
    [
      'is taken for the name of its namespace',
      selecting('{ matchLabels: { kubernetes.io/metadata.name: web } }'),
      namespace('web', '{}'),
      true,
    ],
    [
      'is taken for the name of its namespace, which nobody has declared',
      selecting('{ matchLabels: { kubernetes.io/metadata.name: web } }'),
      '',
      true,
    ],
    ['is not taken for the name of another', selecting('{ matchLabels: { kubernetes.io/metadata.name: db } }'), '', false],
    [
      'is taken where its label is one of several',
      selecting('{ matchExpressions: [{ key: team, operator: In, values: [db, web] }] }'),
      namespace('web', '{ team: web }'),
      true,
    ],
    [
      'is not taken where its label is none of them',
      selecting('{ matchExpressions: [{ key: team, operator: In, values: [db] }] }'),
      namespace('web', '{ team: web }'),
      false,
    ],
    [
      'is taken where its label is none that are kept out',
      selecting('{ matchExpressions: [{ key: team, operator: NotIn, values: [db] }] }'),
      namespace('web', '{ team: web }'),
      true,
    ],
    [
      'is not taken where its label is kept out',
      selecting('{ matchExpressions: [{ key: team, operator: NotIn, values: [web] }] }'),
      namespace('web', '{ team: web }'),
      false,
    ],
    [
      'is taken where it has a label',
      selecting('{ matchExpressions: [{ key: team, operator: Exists }] }'),
      namespace('web', '{ team: web }'),
      true,
    ],
    [
      'is not taken where it must not have it',
      selecting('{ matchExpressions: [{ key: team, operator: DoesNotExist }] }'),
      namespace('web', '{ team: web }'),
      false,
    ],
    [
      'is taken where it must not have it and nobody has declared the namespace',
      selecting('{ matchExpressions: [{ key: team, operator: DoesNotExist }] }'),
      '',
      true,
    ],
    [
      'is not taken where both have to hold and one does',
      selecting('{ matchLabels: { team: web }, matchExpressions: [{ key: env, operator: Exists }] }'),
      namespace('web', '{ team: web }'),
      false,
    ],
    ['is taken by an empty selector', selecting('{}'), '', true],
    [
      'is not taken for an operator nobody knows',
      selecting('{ matchExpressions: [{ key: team, operator: Near, values: [web] }] }'),
      namespace('web', '{ team: web }'),
      false,
    ],
  ])('%s', (_what, listener, namespaces, accepted) => {
    const yaml =
      gateway('gw', [listener]) +
      namespaces +
      service('books', 'web') +
      httpRoute('r', `{ parentRefs: [{ name: gw, namespace: default }], rules: ${to('books')} }`, 'web');
    const { said } = attached(yaml);
    expect(said['HTTPRoute web/r 0']).toMatchObject({ Accepted: accepted ? 'True Accepted' : 'False NotAllowedByListeners' });
    expect(said['Gateway default/gw http']).toMatchObject({ attached: accepted ? '1' : '0' });
  });

  test.each<readonly [what: string, parent: string]>([
    ['of a Gateway that is not there', '{ name: none }'],
    ['of a Gateway in another namespace', '{ name: gw, namespace: other }'],
    ['of a Gateway of another class', '{ name: theirs }'],
    ['of a ListenerSet that is not there', '{ kind: ListenerSet, name: gw }'],
    ['of another kind', '{ kind: Mesh, name: gw }'],
    ['of another group', '{ group: example.com, name: gw }'],
  ])('%s has no status, and a warning', (_what, parent) => {
    const theirs = gateway('theirs', [HTTP]).replace('gatewayClassName: serin', 'gatewayClassName: other');
    const { attachments, diagnostics } = attached(GW + theirs + BOOKS + route(parent));
    expect(attachments.statuses.has('HTTPRoute default/r')).toBe(false);
    expect(diagnostics.filter(({ kind }) => kind === 'HTTPRoute').map(({ code, path }) => [code, path])).toEqual([
      ['W_GATEWAY_API', 'spec.parentRefs[0]'],
    ]);
  });

  test('of several parents has a status of each, with the parentRef as it is written', () => {
    const { attachments, diagnostics, said } = attached(
      GW + BOOKS + route('{ name: none }, { name: gw, sectionName: http }, { group: gateway.networking.k8s.io, name: gw, port: 99 }'),
    );
    expect(attachments.statuses.get('HTTPRoute default/r')).toMatchObject({
      parents: [
        { parentRef: { name: 'gw', sectionName: 'http' }, controllerName: 'serin.dev/gateway-controller' },
        { parentRef: { group: 'gateway.networking.k8s.io', name: 'gw', port: 99 } },
      ],
    });
    expect([said['HTTPRoute default/r 0'], said['HTTPRoute default/r 1']]).toMatchObject([
      { Accepted: 'True Accepted' },
      { Accepted: 'False NoMatchingParent' },
    ]);
    expect(diagnostics.map(({ path }) => path)).toEqual(['spec.parentRefs[0]', 'spec.parentRefs[2]']);
  });

  test('without a parent is a warning', () => {
    expect(attached(httpRoute('r', '{}')).diagnostics).toMatchObject([{ code: 'W_GATEWAY_API', path: 'spec.parentRefs' }]);
  });

  test('says which generation it is about, not the Gateway’s', () => {
    const yaml =
      GW.replace('name: gw,', 'name: gw, generation: 9,') +
      BOOKS +
      httpRoute('r', `{ parentRefs: [{ name: gw }], rules: ${to('books')} }`, 'default', ', generation: 3');
    expect(attached(yaml).attachments.statuses.get('HTTPRoute default/r')).toMatchObject({
      parents: [{ conditions: [{ observedGeneration: 3 }, { observedGeneration: 3 }] }],
    });
  });

  test('goes to every Gateway that takes everything, where it asks for that', () => {
    const yaml =
      gateway('all', [OPEN], 'defaultScope: All') +
      gateway('none', ['{ name: http, port: 81, protocol: HTTP }']) +
      BOOKS +
      httpRoute('r', `{ useDefaultGateways: All, rules: ${to('books')} }`);
    const { attachments } = attached(yaml);
    expect(attachments.statuses.get('HTTPRoute default/r')).toMatchObject({
      parents: [{ parentRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'default', name: 'all' } }],
    });
  });
});

describe('a listener has the routes', () => {
  const hosts = gateway('gw', [
    '{ name: one, port: 80, protocol: HTTP, hostname: very.specific.com }',
    "{ name: wild, port: 80, protocol: HTTP, hostname: '*.wildcard.io' }",
    "{ name: two, port: 80, protocol: HTTP, hostname: '*.anotherwildcard.io' }",
  ]);
  test.each<readonly [what: string, yaml: string, expected: readonly string[]]>([
    [
      'under its own hostname where they state none',
      hosts + httpRoute('a', '{ parentRefs: [{ name: gw }] }'),
      ['gw one: a(very.specific.com)', 'gw wild: a(*.wildcard.io)', 'gw two: a(*.anotherwildcard.io)'],
    ],
    [
      'under their hostnames that are the listener’s',
      hosts +
        httpRoute('a', "{ parentRefs: [{ name: gw }], hostnames: [non.matching.com, '*.nonmatchingwildcard.io', very.specific.com] }"),
      ['gw one: a(very.specific.com)', 'gw wild:', 'gw two:'],
    ],
    [
      'under the narrower of two wildcards',
      hosts + httpRoute('a', "{ parentRefs: [{ name: gw }], hostnames: ['*.foo.wildcard.io', foo.bar.wildcard.io, wildcard.io] }"),
      ['gw one:', 'gw wild: a(*.foo.wildcard.io,foo.bar.wildcard.io)', 'gw two:'],
    ],
    [
      'under its own where the route’s is wider',
      hosts + httpRoute('a', "{ parentRefs: [{ name: gw }], hostnames: ['*.specific.com', '*.io'] }"),
      ['gw one: a(very.specific.com)', 'gw wild: a(*.wildcard.io)', 'gw two: a(*.anotherwildcard.io)'],
    ],
    ['under the wildcard of everything', GW + httpRoute('a', '{ parentRefs: [{ name: gw }] }'), ['gw http: a(*)']],
    [
      'once, however many parentRefs lead there',
      GW + httpRoute('a', '{ parentRefs: [{ name: gw }, { name: gw, sectionName: http }] }'),
      ['gw http: a(*)'],
    ],
    [
      'in the order of the alphabet',
      GW + httpRoute('b', '{ parentRefs: [{ name: gw }] }') + httpRoute('a', '{ parentRefs: [{ name: gw }] }'),
      ['gw http: a(*) b(*)'],
    ],
    [
      'the older before the younger',
      GW +
        httpRoute('a', '{ parentRefs: [{ name: gw }] }') +
        httpRoute('b', '{ parentRefs: [{ name: gw }] }', 'default', ", creationTimestamp: '2020-01-01T00:00:00Z'"),
      ['gw http: b(*) a(*)'],
    ],
  ])('%s', (_what, yaml, expected) => {
    const all = attached(yaml);
    expect(servedRoutes(all)).toEqual(expected);
    const counts = expected.map((line) => String(line.split('(').length - 1));
    const gatewayStatus = all.attachments.statuses.get('GatewayApiGateway default/gw');
    expect(
      gatewayStatus !== undefined && 'listeners' in gatewayStatus ? gatewayStatus.listeners.map((each) => String(each.attachedRoutes)) : [],
    ).toEqual(counts);
  });

  test('of a ListenerSet only where they name it', () => {
    const set = `
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: ls, namespace: default }
spec: { parentRef: { name: gw }, listeners: [{ name: more, port: 80, protocol: HTTP, hostname: more.com }] }
---`;
    const yaml = gateway('gw', [HTTP], 'allowedListeners: { namespaces: { from: Same } }') + set;
    const all = attached(
      yaml +
        httpRoute('a', '{ parentRefs: [{ name: gw }] }') +
        httpRoute('b', '{ parentRefs: [{ kind: ListenerSet, name: ls, sectionName: more }] }') +
        httpRoute('c', '{ parentRefs: [{ kind: ListenerSet, name: ls, sectionName: http }] }'),
    );
    expect(servedRoutes(all)).toEqual(['gw http: a(*)', 'ls more: b(more.com)']);
    expect(all.said).toMatchObject({
      'HTTPRoute default/b 0': { Accepted: 'True Accepted' },
      'HTTPRoute default/c 0': { Accepted: 'False NoMatchingParent' },
    });
  });

  test('that attach to it even where it is not served', () => {
    const all = attached(
      gateway('gw', ['{ name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: none }] } }']) +
        httpRoute('a', '{ parentRefs: [{ name: gw }] }'),
    );
    expect(all.said).toMatchObject({
      'Gateway default/gw https': { Programmed: 'False Invalid', attached: '1' },
      'HTTPRoute default/a 0': { Accepted: 'True Accepted' },
    });
    expect(servedRoutes(all)).toEqual([]);
  });
});

const grpcRoute = (name: string, spec: string, more = ''): string =>
  httpRoute(name, spec, 'default', more).replace('kind: HTTPRoute', 'kind: GRPCRoute');

describe('an HTTPRoute and a GRPCRoute on one listener', () => {
  const OLD = ", creationTimestamp: '2020-01-01T00:00:00Z'";
  test.each<readonly [what: string, http: string, grpc: string, served: string, refused: string | undefined]>([
    ['are both taken for other hostnames', 'hostnames: [a.com]', 'hostnames: [b.com]', 'h(a.com) z(b.com)', undefined],
    ['are not both taken for the same', 'hostnames: [a.com]', 'hostnames: [a.com, b.com]', 'h(a.com)', 'GRPCRoute default/z 0'],
    [
      'are not both taken where one has a wildcard that means the other’s',
      "hostnames: ['*.a.com']",
      'hostnames: [x.a.com]',
      'h(*.a.com)',
      'GRPCRoute default/z 0',
    ],
    ['are not both taken where both are for all', '', '', 'h(*)', 'GRPCRoute default/z 0'],
  ])('%s', (_what, http, grpc, served, refused) => {
    const spec = (hostnames: string): string => `{ parentRefs: [{ name: gw }]${hostnames === '' ? '' : `, ${hostnames}`} }`;
    const all = attached(GW + httpRoute('h', spec(http)) + grpcRoute('z', spec(grpc)));
    expect(servedRoutes(all)).toEqual([`gw http: ${served}`]);
    for (const name of ['HTTPRoute default/h 0', 'GRPCRoute default/z 0'])
      expect(all.said[name]?.['Accepted']).toBe(name === refused ? 'False HostnameConflict' : 'True Accepted');
  });

  test('are for the older one', () => {
    const all = attached(GW + httpRoute('h', '{ parentRefs: [{ name: gw }] }') + grpcRoute('z', '{ parentRefs: [{ name: gw }] }', OLD));
    expect(servedRoutes(all)).toEqual(['gw http: z(*)']);
    expect(all.said['HTTPRoute default/h 0']).toMatchObject({ Accepted: 'False HostnameConflict' });
  });

  test('are taken by another listener that only one of them is for', () => {
    const all = attached(
      TWO + httpRoute('h', '{ parentRefs: [{ name: gw, sectionName: http }] }') + grpcRoute('z', '{ parentRefs: [{ name: gw }] }'),
    );
    expect(servedRoutes(all)).toEqual(['gw http: h(*)', 'gw admin: z(admin.com)']);
    expect(all.said['GRPCRoute default/z 0']).toMatchObject({ Accepted: 'True Accepted' });
  });
});

test('a TLSRoute goes to listeners for TLS, under the names clients say', () => {
  const tls = "{ name: tls, port: 443, protocol: TLS, hostname: '*.example.com', tls: { mode: Passthrough } }";
  const tlsRoute = httpRoute('t', `{ parentRefs: [{ name: gw }], hostnames: [abc.example.com], rules: ${to('books')} }`).replace(
    'kind: HTTPRoute',
    'kind: TLSRoute',
  );
  const all = attached(gateway('gw', [HTTP, tls]) + BOOKS + tlsRoute);
  expect(servedRoutes(all)).toEqual(['gw http:', 'gw tls: t(abc.example.com)']);
  expect(all.said['TLSRoute default/t 0']).toMatchObject(GOOD);
});
