/** `--listen` and `--mesh` values, and the bindings they lead to. */
import { describe, expect, test } from 'vitest';
import { loadText } from '../config/load.ts';
import { ListenError } from '../proxy/options.ts';
import type { Listener, RoutingTable } from '../routing/table.ts';
import {
  AddressError,
  bindingsFor,
  describeListenError,
  formatAddress,
  ownListeners,
  parseAddress,
  parseListenMapping,
  parseMeshMapping,
  unusedMappings,
  declaresPort,
} from './listen.ts';

const listener = (name: string, port: number, bind?: string): Listener => ({
  name,
  port,
  gateways: [],
  virtualHosts: [],
  ...(bind === undefined ? {} : { bind }),
});

const table = (...listeners: Listener[]): RoutingTable => ({ version: '1', clusters: [], listeners: [listener('mesh', 0), ...listeners] });

const MESH = { host: '127.0.0.1', port: 15001 };

describe('an address', () => {
  test.each([
    ['127.0.0.1:8080', '127.0.0.1', 8080],
    ['0.0.0.0:80', '0.0.0.0', 80],
    ['[::1]:0', '::1', 0],
    ['localhost:65535', 'localhost', 65535],
  ])('%s', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port });
    expect(formatAddress(parseAddress(text))).toBe(text);
  });

  test.each([
    '',
    ':80',
    '8080',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:-1',
    '127.0.0.1:8e1',
    '999.1.1.1:80',
    '127.1:80',
    '0177.0.0.1:80',
    '[::1:80',
    '::1:80',
    '[127.0.0.1]:80',
    'localhost:http:1',
    'example.com:80',
    'a b:80',
    '127.0.0.1:80\n',
  ])('%j is refused', (text) => {
    expect(() => parseAddress(text)).toThrow(AddressError);
  });
});

describe('--listen', () => {
  test('maps a declared port, or that of one Gateway', () => {
    expect(parseListenMapping('80=127.0.0.1:8080')).toEqual({ port: 80, address: { host: '127.0.0.1', port: 8080 } });
    expect(parseListenMapping('books/front:80=[::1]:8081')).toEqual({
      gateway: 'books/front',
      port: 80,
      address: { host: '::1', port: 8081 },
    });
  });

  test.each([
    '',
    '80',
    '=127.0.0.1:80',
    '80=',
    '0=127.0.0.1:80',
    '70000=127.0.0.1:80',
    'front:80=127.0.0.1:80',
    'a/b/c:80=127.0.0.1:80',
    'a/b=127.0.0.1:80',
    'http=127.0.0.1:80',
  ])('%j is refused', (text) => {
    expect(() => parseListenMapping(text)).toThrow(AddressError);
  });

  test('a mapping that names a Gateway gives it a listener of its own', () => {
    expect([...ownListeners([parseListenMapping('80=127.0.0.1:1'), parseListenMapping('books/front:80=127.0.0.1:2')])]).toEqual([
      'books/front:80',
    ]);
  });

  test('one that fits no listener is found', () => {
    const mappings = [parseListenMapping('80=127.0.0.1:1'), parseListenMapping('81=127.0.0.1:2')];
    expect(unusedMappings(table(listener('80', 80)), mappings)).toEqual([mappings[1]]);
  });
});

describe('bindings', () => {
  test('mapped where a mapping says so, else at `bind` or everywhere, at the declared port', () => {
    const mappings = [parseListenMapping('80=127.0.0.1:8080'), parseListenMapping('books/front:80=127.0.0.1:8081')];
    const listeners = [listener('80', 80), listener('books/front:80', 80), listener('9080', 9080), listener('9443', 9443, '10.0.0.1')];
    expect(bindingsFor(table(...listeners), mappings, MESH)).toEqual([
      { listener: 'mesh', host: '127.0.0.1', port: 15001 },
      { listener: '80', host: '127.0.0.1', port: 8080 },
      { listener: 'books/front:80', host: '127.0.0.1', port: 8081 },
      { listener: '9080', host: '0.0.0.0', port: 9080 },
      { listener: '9443', host: '10.0.0.1', port: 9443 },
    ]);
  });

  test('none for mesh when it is off', () => {
    expect(bindingsFor(table(), [], 'off')).toEqual([]);
  });

  test.each([
    ['the same address', listener('80', 80, '127.0.0.1')],
    ['an address of everywhere', listener('80', 80)],
  ])('two listeners on %s are a conflict that names both', (_what, other) => {
    expect(() => bindingsFor(table(other), [], { host: '127.0.0.1', port: 80 })).toThrow(
      new ListenError('E_LISTEN_CONFLICT', 'mesh and 80', `${other.bind ?? '0.0.0.0'}:80`),
    );
  });

  test('any free port conflicts with nothing', () => {
    const mappings = [parseListenMapping('80=127.0.0.1:0'), parseListenMapping('81=127.0.0.1:0')];
    expect(bindingsFor(table(listener('80', 80), listener('81', 81)), mappings, 'off')).toHaveLength(2);
  });
});

test('what to do about a port without permission is said', () => {
  expect(describeListenError(new ListenError('E_LISTEN_EACCES', '80', '0.0.0.0:80'))).toContain('--listen 80=127.0.0.1:8080');
  expect(describeListenError(new ListenError('E_LISTEN_EADDRINUSE', 'mesh', '127.0.0.1:15001'))).toContain('--mesh');
});

describe('listeners of the mesh for callers of a namespace', () => {
  test('are bound where the operator says, also while the mesh itself is off', () => {
    const books = parseMeshMapping('books=127.0.0.1:15002');
    expect(books).toEqual({ namespace: 'books', address: { host: '127.0.0.1', port: 15002 } });
    expect(bindingsFor(table(listener('mesh/books', 0)), [], 'off', [books])).toEqual([
      { listener: 'mesh/books', host: '127.0.0.1', port: 15002 },
    ]);
    expect(() => bindingsFor(table(listener('mesh/books', 0)), [], books.address, [books])).toThrow(ListenError);
  });

  test.each(['127.0.0.1:15002', '=127.0.0.1:15002', 'Books=127.0.0.1:15002', 'books=15002', 'books='])('%j is refused', (text) => {
    expect(() => parseMeshMapping(text)).toThrow(AddressError);
  });

  test('what goes wrong names the flag', () => {
    expect(describeListenError(new ListenError('E_LISTEN_EADDRINUSE', 'mesh/books', '127.0.0.1:15002'))).toContain('--mesh-for');
  });
});

test.each([
  [{ port: 80 }, true],
  [{ port: 81 }, true],
  [{ port: 82 }, false],
  [{ gateway: 'default/front', port: 80 }, true],
  [{ gateway: 'default/front', port: 81 }, true],
  [{ gateway: 'team/extra', port: 81 }, false],
  [{ gateway: 'default/other', port: 80 }, false],
])('a Gateway, or a ListenerSet of it, may declare the port of %j: %s', (mapping, expected) => {
  const { snapshot } = loadText(
    'gateway.yaml',
    `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: front }
spec: { gatewayClassName: serin, listeners: [{ name: a, port: 80, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: extra, namespace: team }
spec: { parentRef: { name: front, namespace: default }, listeners: [{ name: b, port: 81, protocol: HTTP }] }
`,
  );
  expect(declaresPort(snapshot, mapping)).toBe(expected);
});
