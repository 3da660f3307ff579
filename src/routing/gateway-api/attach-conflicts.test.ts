/** Listeners that want the same: of one Gateway, of two, of Istio's, and of ListenerSets. */
import { describe, expect, test } from 'vitest';
import {
  ACCEPTED,
  allowing,
  attached,
  conflicted,
  gateway,
  GOOD_LISTENER as GOOD,
  listenerSet,
  on,
  PASS,
  type Said,
  servedRoutes,
} from '../../../test/helpers/attached.ts';

const HTTP = '{ name: http, port: 80, protocol: HTTP }';

type Expected = Readonly<Record<string, Said>>;
type Row = readonly [what: string, yaml: string, expected: Expected];

const PARAMETERS = '{ group: example.com, kind: Parameters, name: p }';

describe('listeners of one Gateway', () => {
  test.each<Row>([
    [
      'with different hostnames do not conflict',
      gateway('gw', [on('a', 80, 'HTTP', 'a.com'), on('b', 80, 'HTTP', '*.b.com'), on('c', 80, 'HTTP')]),
      {
        'Gateway default/gw a': GOOD,
        'Gateway default/gw b': GOOD,
        'Gateway default/gw c': GOOD,
      },
    ],
    [
      'for the same hostname are all refused',
      gateway('gw', [on('a', 80, 'HTTP', 'a.com'), on('b', 80, 'HTTP', 'a.com'), on('c', 80, 'HTTP', 'c.com')]),
      {
        'Gateway default/gw': { Accepted: 'True ListenersNotValid' },
        'Gateway default/gw a': conflicted('HostnameConflict'),
        'Gateway default/gw b': conflicted('HostnameConflict'),
        'Gateway default/gw c': GOOD,
      },
    ],
    [
      'for the same port with and without TLS are all refused',
      gateway('gw', [on('a', 8443, 'HTTP', 'a.com'), on('b', 8443, 'TLS', 'b.com', PASS)]),
      {
        'Gateway default/gw': { Accepted: 'False ListenersNotValid' },
        'Gateway default/gw a': conflicted('ProtocolConflict'),
        'Gateway default/gw b': conflicted('ProtocolConflict'),
      },
    ],
    [
      'of HTTPS and TLS for the same hostname are all refused',
      gateway('gw', [
        on('tls', 443, 'TLS', 'abc.example.com', PASS),
        on('a', 8443, 'HTTPS', undefined, ', tls: {}'),
        on('b', 8443, 'TLS', undefined, PASS),
      ]),
      {
        'Gateway default/gw tls': GOOD,
        'Gateway default/gw a': conflicted('ProtocolConflict'),
        'Gateway default/gw b': conflicted('ProtocolConflict'),
      },
    ],
    [
      'of HTTPS and TLS for other hostnames are accepted',
      gateway('gw', [on('a', 443, 'HTTPS', '*.example.com', ', tls: {}'), on('b', 443, 'TLS', 'abc.example.com', PASS)]),
      { 'Gateway default/gw a': { Accepted: 'True Accepted', Conflicted: 'False NoConflicts' }, 'Gateway default/gw b': GOOD },
    ],
    [
      'that are unknown here conflict with nobody',
      gateway('gw', [on('a', 80, 'HTTP'), on('b', 80, 'UDP')]),
      { 'Gateway default/gw a': GOOD, 'Gateway default/gw b': { Accepted: 'False UnsupportedProtocol', Conflicted: 'False NoConflicts' } },
    ],
    [
      'on different ports conflict in nothing',
      gateway('gw', [on('a', 80, 'HTTP', 'a.com'), on('b', 81, 'HTTP', 'a.com')]),
      { 'Gateway default/gw a': GOOD, 'Gateway default/gw b': GOOD },
    ],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(yaml).said).toMatchObject(expected);
  });

  test('that conflict are one warning, and no more of the Gateway that has no others', () => {
    const { diagnostics } = attached(gateway('gw', [on('a', 80, 'HTTP', 'a.com'), on('b', 80, 'HTTP', 'a.com')]));
    expect(diagnostics.map(({ path, message }) => [path, message])).toEqual([
      ['spec.listeners[0]', 'HostnameConflict: listeners a, b are for the same port and hostname (a.com)'],
    ]);
  });

  test('that conflict are served by nobody', () => {
    const yaml = gateway('gw', [on('a', 80, 'HTTP', 'a.com'), on('b', 80, 'HTTP', 'a.com'), on('c', 80, 'HTTP')]);
    expect(servedRoutes(attached(yaml))).toEqual(['gw c:']);
  });
});

const older = (yaml: string): string => yaml.replace(/name: (\w+),/, "name: $1, creationTimestamp: '2020-01-01T00:00:00Z',");

describe('listeners of two Gateways on one port', () => {
  const row = (first: string, second: string): string => gateway('young', [first]) + older(gateway('zold', [second]));
  test.each<Row>([
    [
      'are both served for other hostnames',
      row(on('a', 80, 'HTTP', 'a.com'), on('b', 80, 'HTTP', 'b.com')),
      { 'Gateway default/young a': GOOD, 'Gateway default/zold b': GOOD },
    ],
    [
      'are for the older one where the hostname is the same',
      row(on('a', 80, 'HTTP', 'a.com'), on('b', 80, 'HTTP', 'a.com')),
      {
        'Gateway default/young': { Accepted: 'False ListenersNotValid' },
        'Gateway default/young a': conflicted('HostnameConflict'),
        'Gateway default/zold b': GOOD,
      },
    ],
    [
      'are for the older one where only one of them is for TLS',
      row(on('a', 443, 'HTTP', 'a.com'), on('b', 443, 'TLS', 'b.com', PASS)),
      { 'Gateway default/young a': conflicted('ProtocolConflict'), 'Gateway default/zold b': GOOD },
    ],
    [
      'are for the one first in the alphabet where nobody is older',
      gateway('b', [on('x', 80, 'HTTP')]) + gateway('a', [on('y', 80, 'HTTP')]),
      { 'Gateway default/b x': conflicted('HostnameConflict'), 'Gateway default/a y': GOOD },
    ],
    [
      'are not kept by a Gateway that is refused',
      gateway('young', [HTTP]) + older(gateway('zold', [HTTP], `infrastructure: { parametersRef: ${PARAMETERS} }`)),
      { 'Gateway default/young http': GOOD },
    ],
    [
      'conflict in nothing where one has an address',
      gateway('a', [HTTP]) + gateway('b', [HTTP], 'addresses: [{ value: 127.0.0.2 }]'),
      { 'Gateway default/a http': GOOD, 'Gateway default/b http': GOOD },
    ],
    [
      'have the port of an address once',
      gateway('a', [HTTP], 'addresses: [{ value: 127.0.0.2 }]') + gateway('b', [HTTP], 'addresses: [{ value: 127.0.0.2 }]'),
      { 'Gateway default/a http': GOOD, 'Gateway default/b http': { Accepted: 'False PortUnavailable', Programmed: 'False Invalid' } },
    ],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(yaml).said).toMatchObject(expected);
  });

  test('conflict in nothing where --listen gives one an address; the message says so', () => {
    const yaml = gateway('a', [HTTP]) + gateway('b', [HTTP]);
    expect(attached(yaml).message('Gateway default/b http', 'Conflicted')).toBe(
      'Gateway default/a has hostname * on port 80 already; give this Gateway an address of its own: --listen default/b:80=ADDRESS:PORT',
    );
    expect(attached(yaml, ['default/b:80']).said).toMatchObject({ 'Gateway default/b http': GOOD });
  });

  test('are for Istio’s Gateway, which cannot share its port', () => {
    const istio = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ingress, namespace: default }
spec: { servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ['*'] }] }
---`;
    const shared = attached(istio + gateway('gw', [HTTP, '{ name: other, port: 81, protocol: HTTP }']));
    expect(shared.said).toMatchObject({
      'Gateway default/gw': { Accepted: 'True ListenersNotValid' },
      'Gateway default/gw http': { Accepted: 'False PortUnavailable', Programmed: 'False Invalid' },
      'Gateway default/gw other': GOOD,
    });
    expect(shared.message('Gateway default/gw http', 'Accepted')).toContain('--listen default/gw:80=ADDRESS:PORT');
    expect(servedRoutes(shared)).toEqual(['gw other:']);
    expect(attached(istio + gateway('gw', [HTTP]), ['default/gw:80']).said).toMatchObject({ 'Gateway default/gw http': GOOD });
  });
});

const OTHER = on('other', 80, 'HTTP', 'other.com');

/** The conformance suite wants the conflict's own reason here, and Invalid of a Gateway's listener (listenerset-hostname-conflict.go). */
const conflictedInSet = (reason: string): Said => ({
  Accepted: `False ${reason}`,
  Programmed: `False ${reason}`,
  Conflicted: `True ${reason}`,
});

describe('a ListenerSet', () => {
  test.each<Row>([
    [
      'is not allowed unless the Gateway says so',
      gateway('gw', [HTTP]) + listenerSet('ls', [OTHER]),
      { 'ListenerSet default/ls': { Accepted: 'False NotAllowed', Programmed: 'False NotAllowed' } },
    ],
    [
      'is not allowed from None',
      gateway('gw', [HTTP], allowing('from: None')) + listenerSet('ls', [OTHER]),
      { 'ListenerSet default/ls': { Accepted: 'False NotAllowed' } },
    ],
    [
      'is allowed from the same namespace',
      gateway('gw', [HTTP], allowing('from: Same')) + listenerSet('ls', [OTHER]),
      { 'ListenerSet default/ls': ACCEPTED, 'ListenerSet default/ls other': { ...GOOD, kinds: 'HTTPRoute GRPCRoute' } },
    ],
    [
      'is not allowed from another namespace then',
      gateway('gw', [HTTP], allowing('from: Same')) + listenerSet('ls', [OTHER], 'web'),
      { 'ListenerSet web/ls': { Accepted: 'False NotAllowed' } },
    ],
    [
      'is allowed from everywhere',
      gateway('gw', [HTTP], allowing('from: All')) + listenerSet('ls', [OTHER], 'web'),
      { 'ListenerSet web/ls': ACCEPTED },
    ],
    [
      'is allowed from namespaces by their labels',
      gateway('gw', [HTTP], allowing('from: Selector, selector: { matchLabels: { team: web } }')) +
        '\napiVersion: v1\nkind: Namespace\nmetadata: { name: web, labels: { team: web } }\n---' +
        listenerSet('ls', [OTHER], 'web') +
        listenerSet('ls', [on('third', 80, 'HTTP', 'third.com')], 'db'),
      { 'ListenerSet web/ls': ACCEPTED, 'ListenerSet db/ls': { Accepted: 'False NotAllowed' } },
    ],
    [
      'of a Gateway that is refused is refused',
      gateway('gw', [HTTP], `infrastructure: { parametersRef: ${PARAMETERS} }\n  ${allowing('from: Same')}`) + listenerSet('ls', [OTHER]),
      { 'ListenerSet default/ls': { Accepted: 'False ParentNotAccepted', Programmed: 'False ParentNotProgrammed' } },
    ],
    [
      'comes after its Gateway where both are for a hostname',
      gateway('gw', [on('a', 80, 'HTTP', 'a.com')], allowing('from: Same')) + listenerSet('ls', [on('b', 80, 'HTTP', 'a.com'), OTHER]),
      {
        'Gateway default/gw a': GOOD,
        'ListenerSet default/ls': { Accepted: 'True ListenersNotValid', Programmed: 'True Programmed' },
        'ListenerSet default/ls b': conflictedInSet('HostnameConflict'),
        'ListenerSet default/ls other': GOOD,
      },
    ],
    [
      'with nothing but what others have is refused',
      gateway('gw', [on('a', 80, 'HTTP', 'a.com')], allowing('from: Same')) + listenerSet('ls', [on('b', 80, 'HTTP', 'a.com')]),
      {
        'ListenerSet default/ls': { Accepted: 'False ListenersNotValid', Programmed: 'False ListenersNotValid' },
        'Gateway default/gw': ACCEPTED,
      },
    ],
    [
      'comes after one that is before it in the alphabet',
      gateway('gw', [HTTP], allowing('from: Same')) + listenerSet('z', [OTHER]) + listenerSet('a', [OTHER]),
      { 'ListenerSet default/z other': conflictedInSet('HostnameConflict'), 'ListenerSet default/a other': GOOD },
    ],
    [
      'comes after an older one',
      gateway('gw', [HTTP], allowing('from: Same')) + older(listenerSet('z', [OTHER])) + listenerSet('a', [OTHER]),
      { 'ListenerSet default/z other': GOOD, 'ListenerSet default/a other': conflictedInSet('HostnameConflict') },
    ],
    [
      'cannot have TLS on a port of HTTP',
      gateway('gw', [HTTP], allowing('from: Same')) + listenerSet('ls', [on('b', 80, 'TLS', 'b.com', PASS), on('c', 81, 'HTTP')]),
      { 'ListenerSet default/ls b': conflictedInSet('ProtocolConflict'), 'ListenerSet default/ls c': GOOD },
    ],
  ])('%s', (_what, yaml, expected) => {
    expect(attached(yaml).said).toMatchObject(expected);
  });

  test('counts for its Gateway where it is accepted', () => {
    const yaml =
      gateway('gw', [HTTP], allowing('from: Same')) +
      listenerSet('a', [OTHER]) +
      listenerSet('b', [OTHER]) +
      listenerSet('c', [OTHER], 'web');
    expect(attached(yaml).attachments.statuses.get('GatewayApiGateway default/gw')).toMatchObject({ attachedListenerSets: 1 });
  });

  test('of nothing that is served here is a warning', () => {
    const { said, diagnostics } = attached(listenerSet('ls', [OTHER]));
    expect(said).toEqual({});
    expect(diagnostics.map(({ code, path }) => [code, path])).toEqual([['W_GATEWAY_API', 'spec.parentRef']]);
  });
});
