/** GatewayClasses, Gateways and what their listeners are for: what is said of them, modelled on the conformance suite's tests of statuses. */
import { describe, expect, test } from 'vitest';
import { ACCEPTED, attached, gateway, GOOD_LISTENER as GOOD, type Said } from '../../../test/helpers/attached.ts';

const HTTP = '{ name: http, port: 80, protocol: HTTP }';

type Expected = Readonly<Record<string, Said>>;
type Row = readonly [what: string, yaml: string, expected: Expected];

function gatewayClass(name: string, controllerName: string, more = ''): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: ${name}, generation: 4 }
spec: { controllerName: ${controllerName}${more} }
---`;
}

const PARAMETERS = '{ group: example.com, kind: Parameters, name: p }';

describe('a GatewayClass', () => {
  test.each<Row>([
    ['of ours is accepted', gatewayClass('serin', 'serin.dev/gateway-controller'), { 'GatewayClass serin': { Accepted: 'True Accepted' } }],
    [
      'of ours may have another name',
      gatewayClass('edge', 'serin.dev/gateway-controller'),
      { 'GatewayClass edge': { Accepted: 'True Accepted' } },
    ],
    [
      'with parameters is not',
      gatewayClass('serin', 'serin.dev/gateway-controller', `, parametersRef: ${PARAMETERS}`) + gateway('gw', [HTTP]),
      { 'GatewayClass serin': { Accepted: 'False InvalidParameters' }, 'Gateway default/gw': { Accepted: 'False InvalidParameters' } },
    ],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(yaml).said).toMatchObject(expected);
  });

  test('tells the features that are supported in alphabetical order, and the generation it is about', () => {
    const { attachments } = attached(gatewayClass('serin', 'serin.dev/gateway-controller'));
    const status = attachments.statuses.get('GatewayClass /serin');
    const names = status !== undefined && 'supportedFeatures' in status ? (status.supportedFeatures ?? []).map(({ name }) => name) : [];
    expect(names).toContain('HTTPRoute');
    expect(names).toEqual(names.toSorted());
    expect(new Set(names).size).toBe(names.length);
    expect(status).toMatchObject({ conditions: [{ observedGeneration: 4 }] });
  });

  test('that nobody declares is there and accepted', () => {
    expect(attached(gateway('gw', [HTTP])).attachments.statuses.get('GatewayClass /serin')).toMatchObject({
      conditions: [{ type: 'Accepted', status: 'True', observedGeneration: 1 }],
    });
  });

  test('of somebody else is nobody we speak for, even when it is called serin', () => {
    const { said, diagnostics, attachments } = attached(gatewayClass('serin', 'example.com/other') + gateway('gw', [HTTP]));
    expect(said).toEqual({});
    expect(attachments.listeners).toEqual([]);
    expect(diagnostics.map(({ code, path, kind }) => [code, path, kind])).toEqual([
      ['W_GATEWAY_CLASS', 'spec.gatewayClassName', 'GatewayApiGateway'],
    ]);
  });
});

test('a Gateway of another class is not served and gets no status', () => {
  const { said, diagnostics } = attached(gateway('gw', [HTTP]).replace('gatewayClassName: serin', 'gatewayClassName: other'));
  expect(said).toEqual({});
  expect(diagnostics).toMatchObject([{ code: 'W_GATEWAY_CLASS', hint: 'the classes served here: serin' }]);
});

describe('a Gateway', () => {
  test.each<Row>([
    ['with a listener for HTTP is served', gateway('gw', [HTTP]), { 'Gateway default/gw': ACCEPTED, 'Gateway default/gw http': GOOD }],
    [
      'of a declared class of ours is served',
      gatewayClass('edge', 'serin.dev/gateway-controller') +
        gateway('gw', [HTTP]).replace('gatewayClassName: serin', 'gatewayClassName: edge'),
      { 'Gateway default/gw': ACCEPTED },
    ],
    [
      'with parameters is refused, and its listeners with it',
      gateway('gw', [HTTP], `infrastructure: { parametersRef: ${PARAMETERS} }`),
      {
        'Gateway default/gw': { Accepted: 'False InvalidParameters', Programmed: 'False Invalid' },
        'Gateway default/gw http': { Accepted: 'False Invalid', Programmed: 'False Invalid' },
      },
    ],
    [
      'at a hostname is refused',
      gateway('gw', [HTTP], 'addresses: [{ type: Hostname, value: example.com }]'),
      { 'Gateway default/gw': { Accepted: 'False UnsupportedAddress', Programmed: 'False Invalid' } },
    ],
    [
      'at an address of a type of somebody’s own is refused',
      gateway('gw', [HTTP], 'addresses: [{ type: example.com/named, value: x }, { value: 127.0.0.2 }]'),
      { 'Gateway default/gw': { Accepted: 'False UnsupportedAddress' } },
    ],
    [
      'at something that is no address is not programmed',
      gateway('gw', [HTTP], 'addresses: [{ value: nonsense }]'),
      {
        'Gateway default/gw': { Accepted: 'True Accepted', Programmed: 'False AddressNotUsable' },
        'Gateway default/gw http': { Programmed: 'False Invalid' },
      },
    ],
    [
      'at two addresses has one of them, and says so',
      gateway('gw', [HTTP], 'addresses: [{ value: 127.0.0.2 }, { value: 127.0.0.3 }]'),
      {
        'Gateway default/gw': { Accepted: 'True Accepted', Programmed: 'False AddressNotUsable' },
        'Gateway default/gw http': { Programmed: 'True Programmed' },
      },
    ],
    [
      'that leaves the address to us is served',
      gateway('gw', [HTTP], 'addresses: [{ type: IPAddress }]'),
      { 'Gateway default/gw': ACCEPTED },
    ],
    ['at an address is served', gateway('gw', [HTTP], "addresses: [{ value: '::1' }]"), { 'Gateway default/gw': ACCEPTED }],
    [
      'with protocols only that are unknown here is refused',
      gateway('gw', ['{ name: tcp, port: 81, protocol: TCP }', '{ name: own, port: 82, protocol: example.com/x }']),
      {
        'Gateway default/gw': { Accepted: 'False ListenersNotValid', Programmed: 'False Invalid' },
        'Gateway default/gw tcp': { Accepted: 'False UnsupportedProtocol', Programmed: 'False Invalid', kinds: '' },
        'Gateway default/gw own': { Accepted: 'False UnsupportedProtocol' },
      },
    ],
    [
      'with one protocol that is unknown here serves the others',
      gateway('gw', [HTTP, '{ name: udp, port: 81, protocol: UDP }']),
      {
        'Gateway default/gw': { Accepted: 'True ListenersNotValid', Programmed: 'True Programmed' },
        'Gateway default/gw http': GOOD,
        'Gateway default/gw udp': { Accepted: 'False UnsupportedProtocol' },
      },
    ],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(yaml).said).toMatchObject(expected);
  });

  test('is bound to its address on a listener of its own', () => {
    const { attachments } = attached(gateway('gw', [HTTP], 'addresses: [{ value: 127.0.0.2 }]'));
    expect(attachments.listeners).toMatchObject([{ tableListener: 'default/gw:80', bind: '127.0.0.2', name: 'default/gw listeners[0]' }]);
  });

  test.each<readonly [what: string, more: string]>([
    ['that is refused', `infrastructure: { parametersRef: ${PARAMETERS} }`],
    ['at an address that is none', 'addresses: [{ value: nonsense }]'],
  ])('%s serves nothing, not even on the port that all share', (_what, more) => {
    expect(attached(gateway('gw', [HTTP], more)).attachments.listeners).toEqual([]);
  });

  test('shares the listener of its port, unless --listen gives it one', () => {
    const listeners = (own: string[]): string[] =>
      attached(gateway('gw', [HTTP, '{ name: other, port: 81, protocol: HTTP }']), own).attachments.listeners.map(
        (each) => each.tableListener,
      );
    expect(listeners([])).toEqual(['80', '81']);
    expect(listeners(['default/gw:81'])).toEqual(['80', 'default/gw:81']);
  });

  test('says which generation it is about', () => {
    const yaml = gateway('gw', [HTTP]).replace('name: gw,', 'name: gw, generation: 7,');
    expect(attached(yaml).attachments.statuses.get('GatewayApiGateway default/gw')).toMatchObject({
      conditions: [{ observedGeneration: 7 }, { observedGeneration: 7 }],
      listeners: [{ conditions: [{ observedGeneration: 7 }, {}, {}, {}] }],
    });
    expect(attached(gateway('gw', [HTTP])).attachments.statuses.get('GatewayApiGateway default/gw')).toMatchObject({
      conditions: [{ observedGeneration: 1 }, {}],
    });
  });

  test('that is refused is a warning, once', () => {
    const { diagnostics } = attached(gateway('gw', [HTTP], 'addresses: [{ type: Hostname, value: example.com }]'));
    expect(diagnostics.map(({ code, path, message }) => [code, path, message])).toEqual([
      ['W_GATEWAY_API', 'spec', 'UnsupportedAddress: addresses are of type IPAddress, not Hostname (example.com)'],
    ]);
  });
});

const kinds = (...names: string[]): string => `allowedRoutes: { kinds: [${names.map((name) => `{ kind: ${name} }`).join(', ')}] }`;

describe('the routes a listener takes', () => {
  test.each<Row>([
    ['are those of HTTP', gateway('gw', [HTTP]), { 'Gateway default/gw http': { kinds: 'HTTPRoute GRPCRoute' } }],
    [
      'are those of TLS',
      gateway('gw', ['{ name: tls, port: 443, protocol: TLS, tls: { mode: Passthrough } }']),
      { 'Gateway default/gw tls': { ...GOOD, kinds: 'TLSRoute' } },
    ],
    [
      'are those it asks for',
      gateway('gw', [`{ name: http, port: 80, protocol: HTTP, ${kinds('GRPCRoute')} }`]),
      { 'Gateway default/gw http': { ...GOOD, kinds: 'GRPCRoute' } },
    ],
    [
      'are none where it asks only for what nobody knows',
      gateway('gw', [`{ name: http, port: 80, protocol: HTTP, ${kinds('InvalidRoute')} }`]),
      { 'Gateway default/gw http': { ResolvedRefs: 'False InvalidRouteKinds', kinds: '' } },
    ],
    [
      'are those that are known of what it asks for',
      gateway('gw', [`{ name: http, port: 80, protocol: HTTP, ${kinds('InvalidRoute', 'HTTPRoute')} }`]),
      { 'Gateway default/gw http': { Accepted: 'True Accepted', ResolvedRefs: 'False InvalidRouteKinds', kinds: 'HTTPRoute' } },
    ],
    [
      'do not include those of another protocol',
      gateway('gw', [`{ name: http, port: 80, protocol: HTTP, ${kinds('TLSRoute')} }`]),
      { 'Gateway default/gw http': { ResolvedRefs: 'False InvalidRouteKinds', kinds: '' } },
    ],
    [
      'are of our group',
      gateway('gw', ['{ name: http, port: 80, protocol: HTTP, allowedRoutes: { kinds: [{ group: example.com, kind: HTTPRoute }] } }']),
      { 'Gateway default/gw http': { ResolvedRefs: 'False InvalidRouteKinds', kinds: '' } },
    ],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(yaml).said).toMatchObject(expected);
  });
});
