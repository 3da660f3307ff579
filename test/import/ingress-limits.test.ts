/** What ingress-nginx takes and the Gateway API does not, or not so much of: the import of it loads all the same. */
import { describe, expect, test } from 'vitest';
import { serve } from '../helpers/imported-ingresses.ts';

describe('limits of the Gateway API', () => {
  // `serve` refuses what does not load without an error.
  const odd: readonly Readonly<Record<string, string>>[] = [
    { 'upstream-vhost': 'a..b' },
    { 'upstream-vhost': '$http_host' },
    { 'upstream-vhost': 'Portal.Example' },
    { 'enable-cors': 'true', 'cors-allow-origin': 'example.com, null, capacitor://localhost' },
    { 'enable-cors': 'true', 'cors-allow-origin': 'https://*.example.com:8443, https://a.example, ftp://x', 'cors-max-age': '-1' },
    { 'enable-cors': 'true', 'cors-allow-origin': '*, https://a.example', 'cors-allow-headers': '*', 'cors-allow-methods': '*' },
    { 'app-root': '/start' },
    { 'proxy-next-upstream': 'http_403 http_429', 'proxy-next-upstream-tries': '0' },
    { 'proxy-next-upstream': 'off' },
    { affinity: 'cookie' },
    { affinity: 'cookie', 'session-cookie-max-age': '31536000', 'session-cookie-path': '/shop' },
    { 'x-forwarded-prefix': '/a' },
    { 'rewrite-target': '/fixed' },
    { 'server-alias': 'B.Example ~^c.* *.d.example' },
    { 'backend-protocol': 'GRPCS', 'proxy-ssl-verify': 'on', 'proxy-ssl-secret': 'default/ca', 'proxy-ssl-name': 'x' },
  ];
  test.each(odd)('%j loads', (annotations) => {
    expect(serve({ name: 'main', annotations, paths: [['/', 'Prefix', 'main']] }).ask('/x')).toBe('main 100');
  });

  test.each([
    'http://10.0.0.1/x',
    'https://a.example:8443',
    '/relative',
    'https://a.example$request_uri',
    'https://a.example/x?y=1',
    '$scheme://b.example',
    'mailto:x',
  ])('a redirect to %s loads, or answers 500', (target) => {
    expect(['redirect 302', '500']).toContain(
      serve({ name: 'main', annotations: { 'temporal-redirect': target }, paths: [['/', 'Prefix', 'main']] }).ask('/x'),
    );
  });

  test.each(['/a//b', '/a/../b', '/a/./b', '/a b', '/a%2fb', '/ä', '/a"b', '/x{1', '/a|b'])('the path %s loads', (path) => {
    expect(
      serve({
        name: 'main',
        paths: [
          ['/', 'Prefix', 'other'],
          [path, 'ImplementationSpecific', 'main'],
        ],
      }).ask('/zzz'),
    ).toBe('other 100');
  });

  test('many paths become several routes, each path with its canary in one of them', () => {
    const paths = Array.from({ length: 70 }, (_, index) => [`/p${index}`, 'Prefix', 'main'] as const);
    const { ask } = serve(
      { name: 'main', annotations: { 'force-ssl-redirect': 'false' }, paths },
      {
        name: 'canary',
        annotations: { canary: 'true', 'canary-by-header': 'x', 'canary-weight': '20' },
        paths: paths.map(([path, type]) => [path, type, 'canary'] as const),
      },
    );
    for (const index of [0, 5, 16, 17, 69]) {
      expect(ask(`/p${index}/a`)).toBe('main 80, canary 20');
      expect(ask(`/p${index}/a`, 'x: always')).toBe('canary 100');
      expect(ask(`/p${index}/a`, 'x: never')).toBe('main 100');
    }
  });

  test('so do the redirects to HTTPS of as many', () => {
    const paths = Array.from({ length: 300 }, (_, index) => [`/p${index}`, 'Exact', 'main'] as const);
    const { ask } = serve({ name: 'main', tls: 'cert', paths });
    expect([ask('/p0'), ask('/p150'), ask('/p299'), ask('/p300')]).toEqual(['redirect 308', 'redirect 308', 'redirect 308', '404']);
  });

  test('and the aliases of a host with many of them', () => {
    const aliases = Array.from({ length: 40 }, (_, index) => `b${index}.example`).join(' ');
    const { ask } = serve({
      name: 'main',
      host: 'c.example',
      annotations: { 'server-alias': `${aliases} a.example ~^d.*` },
      paths: [['/', 'Prefix', 'main']],
    });
    expect(ask('/')).toBe('main 100');
  });
});
