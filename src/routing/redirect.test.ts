import { describe, expect, test } from 'vitest';
import { redirectLocation } from './redirect.ts';
import type { RedirectAction, UriMatch } from './table.ts';

function location(action: Partial<RedirectAction>, url: string, match?: UriMatch, listenerPort = 80): string {
  const parts = /^(https?):\/\/([^/]*)([^?]*)\??(.*)$/.exec(url);
  const [, scheme, authority = '', path = '', query = ''] = parts ?? [];
  const block = { path: '', headers: [], queryParams: [], ...(match === undefined ? {} : { uri: match }) };
  return redirectLocation(
    { kind: 'redirect', status: 301, ...action },
    block,
    { scheme: scheme === 'https' ? 'https' : 'http', authority, path, query },
    listenerPort,
  );
}

const foo: UriMatch = { kind: 'prefix', value: '/foo', ignoreCase: false };

describe('Location', () => {
  test.each<readonly [string, Partial<RedirectAction>, string, string]>([
    ['a new host stands without port', { host: 'h' }, 'https://a:8443/x?q=1', 'https://h/x?q=1'],
    ['the port of the request is kept when asked for', { host: 'h', port: 'fromRequest' }, 'https://a:8443/x?q=1', 'https://h:8443/x?q=1'],
    ['a new path keeps the query', { path: { kind: 'full', value: '/y' } }, 'http://a/x?q=1', 'http://a/y?q=1'],
    ['unless it brings one', { path: { kind: 'full', value: '/y?z=2' } }, 'http://a/x?q=1', 'http://a/y?z=2'],
    ['the own host keeps its port', { path: { kind: 'full', value: '/y' } }, 'http://a:8080/x', 'http://a:8080/y'],
    ['to https: no port of the plain listener', { scheme: 'https' }, 'http://a:8080/x', 'https://a/x'],
    ['to https', { scheme: 'https' }, 'http://a/x', 'https://a/x'],
    ['to https on a port', { scheme: 'https', port: 8443 }, 'http://a/x', 'https://a:8443/x'],
    ['the default port is left out for https', { scheme: 'https', port: 443 }, 'http://a/x', 'https://a/x'],
    ['the default port is left out for http', { port: 80 }, 'http://a:8080/x', 'http://a/x'],
    ['443 is no default of http', { port: 443 }, 'http://a/x', 'http://a:443/x'],
    ['the protocol decides the port', { port: 'protocolDefault' }, 'http://a:8080/x', 'http://a/x'],
    ['IPv6', { path: { kind: 'full', value: '/y' } }, 'http://[::1]:8080/x', 'http://[::1]:8080/y'],
    ['IPv6 on another port', { port: 81 }, 'http://[::1]:8080/x', 'http://[::1]:81/x'],
    ['IPv6 without port', { scheme: 'https' }, 'http://[::1]/x', 'https://[::1]/x'],
    ['a path without slash gets one', { path: { kind: 'full', value: 'y' } }, 'http://a/x', 'http://a/y'],
  ])('%s', (_, action, url, expected) => {
    expect(location(action, url)).toBe(expected);
  });

  test('fromRequest without a port in the Host is the declared port of the listener', () => {
    expect(location({ host: 'h', port: 'fromRequest' }, 'http://a/x', undefined, 8080)).toBe('http://h:8080/x');
    expect(location({ host: 'h', port: 'fromRequest' }, 'http://a/x', undefined, 80)).toBe('http://h/x');
    expect(location({ host: 'h', port: 'fromRequest' }, 'http://a/x', undefined, 0)).toBe('http://h/x');
  });

  test("Istio's prefixRewrite is textual", () => {
    expect(location({ path: { kind: 'prefix', value: '/' } }, 'http://a/foo/baz', foo)).toBe('http://a//baz');
    expect(location({ path: { kind: 'prefix', value: '/bar' } }, 'http://a/foo/baz?q=1', foo)).toBe('http://a/bar/baz?q=1');
  });
});
