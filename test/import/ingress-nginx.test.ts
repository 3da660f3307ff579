/** What ingress-nginx does with a request, against what its import does: the output is compiled and asked. */
import { describe, expect, test } from 'vitest';
import { type IngressPart, serve, type Served } from '../helpers/imported-ingresses.ts';

function canaryOf(annotations: Readonly<Record<string, string>>): Served {
  return serve(
    { name: 'main', paths: [['/', 'Prefix', 'main']] },
    { name: 'canary', annotations: { canary: 'true', ...annotations }, paths: [['/', 'Prefix', 'canary']] },
  );
}

/** The decision of ingress-nginx' balancer, as its documentation words it. */
function nginx(rule: Readonly<Record<string, string>>, header: string | undefined, cookie: string | undefined): string {
  const value = rule['canary-by-header-value'];
  const pattern = rule['canary-by-header-pattern'];
  if (rule['canary-by-header'] !== undefined && header !== undefined) {
    if (value !== undefined) {
      if (header === value) return 'canary 100';
    } else if (pattern !== undefined) {
      if (new RegExp(pattern).test(header)) return 'canary 100';
    } else if (header === 'always') return 'canary 100';
    else if (header === 'never') return 'main 100';
  }
  if (rule['canary-by-cookie'] !== undefined && cookie === 'always') return 'canary 100';
  if (rule['canary-by-cookie'] !== undefined && cookie === 'never') return 'main 100';
  const total = Math.max(100, Number(rule['canary-weight-total'] ?? 100));
  const share = (Number(rule['canary-weight'] ?? 0) / total) * 100;
  return [share < 100 ? `main ${100 - share}` : '', share > 0 ? `canary ${share}` : ''].filter((part) => part !== '').join(', ');
}

describe('canaries: header, then cookie, then weight', () => {
  const rules: readonly Readonly<Record<string, string>>[] = [
    { 'canary-weight': '10' },
    { 'canary-weight': '100' },
    { 'canary-weight': '5', 'canary-weight-total': '1000' },
    { 'canary-weight': '50', 'canary-weight-total': '10' },
    { 'canary-by-header': 'X-Canary' },
    { 'canary-by-cookie': 'canary' },
    { 'canary-by-header': 'X-Canary', 'canary-by-cookie': 'canary', 'canary-weight': '100' },
    { 'canary-by-header': 'X-Canary', 'canary-by-cookie': 'canary', 'canary-weight': '30' },
    { 'canary-by-header': 'X-Canary', 'canary-by-header-value': 'yes', 'canary-by-cookie': 'canary', 'canary-weight': '30' },
    { 'canary-by-header': 'X-Canary', 'canary-by-header-pattern': '^(yes|ok)', 'canary-by-cookie': 'canary', 'canary-weight': '30' },
    { 'canary-by-header': 'X-Canary', 'canary-by-header-value': 'yes', 'canary-by-header-pattern': '.*', 'canary-weight': '30' },
  ];
  test.each(rules)('%j', (rule) => {
    const served = canaryOf(rule);
    for (const header of [undefined, 'always', 'never', 'yes', 'okay', 'other']) {
      for (const cookie of [undefined, 'always', 'never', 'other', 'alwaysmore']) {
        const headers = [
          ...(header === undefined ? [] : [`x-canary: ${header}`]),
          ...(cookie === undefined ? [] : [`cookie: session=1; canary=${cookie}; theme=dark`]),
        ];
        expect([header, cookie, served.ask('/any', ...headers)]).toEqual([header, cookie, nginx(rule, header, cookie)]);
      }
    }
  });

  test('a cookie is its whole name and stands anywhere in the list', () => {
    const { ask } = canaryOf({ 'canary-by-cookie': 'canary' });
    expect(ask('/', 'cookie: canary=always')).toBe('canary 100');
    expect(ask('/', 'cookie: a=b;canary=always')).toBe('canary 100');
    expect(ask('/', 'cookie: canary=always; a=b')).toBe('canary 100');
    expect(ask('/', 'cookie: xcanary=always')).toBe('main 100');
    expect(ask('/', 'cookie: a=canary=always')).toBe('main 100');
  });

  test('an expression that RE2 has not is told, and takes nobody to the canary', () => {
    const { ask, diagnostics } = canaryOf({ 'canary-by-header': 'X-Canary', 'canary-by-header-pattern': '^(?!no).*' });
    expect(ask('/', 'x-canary: yes')).toBe('main 100');
    expect(diagnostics.map(({ code }) => code)).toEqual(['W_IMPORT_NO_EQUIVALENT']);
  });

  test('a canary without its main Ingress is left out', () => {
    const { diagnostics, ask } = serve(
      { name: 'main', paths: [['/', 'Prefix', 'main']] },
      { name: 'canary', annotations: { canary: 'true', 'canary-weight': '50' }, paths: [['/elsewhere', 'Prefix', 'canary']] },
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(['W_IMPORT_DIFFERS']);
    expect(ask('/elsewhere')).toBe('main 100');
  });

  test('the canary of a more special path says nothing of the others', () => {
    const { ask } = serve(
      {
        name: 'main',
        paths: [
          ['/', 'Prefix', 'main'],
          ['/api', 'Prefix', 'other'],
        ],
      },
      { name: 'canary', annotations: { canary: 'true', 'canary-by-header': 'x-canary' }, paths: [['/', 'Prefix', 'canary']] },
    );
    expect(ask('/api/x', 'x-canary: always')).toBe('other 100');
    expect(ask('/apix', 'x-canary: always')).toBe('canary 100');
  });
});

describe('paths', () => {
  test('Exact and Prefix mean what they mean in nginx', () => {
    const { ask, diagnostics } = serve({
      name: 'main',
      paths: [
        ['/', 'Prefix', 'main'],
        ['/foo', 'Exact', 'other'],
        ['/bar/', 'Prefix', 'third'],
      ],
    });
    expect(['/foo', '/foo/', '/bar', '/bar/x', '/barx'].map((path) => ask(path))).toEqual([
      'other 100',
      'main 100',
      'third 100',
      'third 100',
      'main 100',
    ]);
    expect(diagnostics).toEqual([]);
  });

  test('the longest expression of a host is asked first, without looking at case', () => {
    const { ask } = serve({
      name: 'main',
      annotations: { 'use-regex': 'true' },
      paths: [
        ['/', 'Prefix', 'main'],
        ['/v[0-9]+/items', 'ImplementationSpecific', 'other'],
        ['/v1', 'ImplementationSpecific', 'third'],
      ],
    });
    expect(['/v1/items/5', '/V22/ITEMS', '/v1', '/v1x', '/v3', '/'].map((path) => ask(path))).toEqual([
      'other 100',
      'other 100',
      'third 100',
      'third 100',
      'main 100',
      'main 100',
    ]);
  });

  test('a rewrite that an HTTPRoute cannot say answers 500 and takes nothing from others', () => {
    const { ask, diagnostics } = serve(
      { name: 'main', paths: [['/', 'Prefix', 'main']] },
      { name: 'odd', annotations: { 'rewrite-target': '/$2/$1' }, paths: [['/swap/(a|b)/(c|d)', 'ImplementationSpecific', 'other']] },
    );
    expect(ask('/swap/a/d')).toBe('500');
    expect(ask('/swap/x/d')).toBe('main 100');
    expect(diagnostics.map(({ code, path }) => [code, path])).toEqual([['W_IMPORT_NO_EQUIVALENT', 'spec.rules[0].http.paths[0].path']]);
  });

  test('a host with a certificate is sent to HTTPS, path by path, unless ssl-redirect says no', () => {
    const secure: IngressPart = { name: 'main', tls: 'cert', paths: [['/', 'Prefix', 'main']] };
    const open: IngressPart = { name: 'open', annotations: { 'ssl-redirect': 'false' }, paths: [['/.well-known', 'Prefix', 'other']] };
    const { ask } = serve(secure, open);
    expect(ask('/x')).toBe('redirect 308');
    expect(ask('/.well-known/x')).toBe('other 100');
  });

  test('of two Ingresses with one path the older counts', () => {
    const { ask, diagnostics } = serve(
      { name: 'main', paths: [['/', 'Prefix', 'main']] },
      { name: 'late', paths: [['/', 'Prefix', 'other']] },
    );
    expect(ask('/')).toBe('main 100');
    expect(diagnostics.map(({ code }) => code)).toEqual(['W_IMPORT_DIFFERS']);
  });
});

describe('what was closed stays closed', () => {
  const open: IngressPart = { name: 'main', paths: [['/', 'Prefix', 'main']] };
  const closings: readonly Readonly<Record<string, string>>[] = [
    { 'auth-type': 'basic', 'auth-secret': 'users' },
    { 'auth-url': 'https://auth.example/check' },
    { 'whitelist-source-range': '10.0.0.0/8' },
    { 'allowlist-source-range': '10.0.0.0/8' },
    { 'denylist-source-range': '203.0.113.0/24' },
    { 'enable-modsecurity': 'true' },
    { 'modsecurity-snippet': 'SecRuleEngine On' },
    { 'configuration-snippet': 'deny all;' },
    { 'configuration-snippet': 'if ($http_x_token != "s3cret") { return 403; }' },
    { 'configuration-snippet': 'auth_request /validate;' },
  ];

  test.each(closings)('%j', (annotations) => {
    for (const type of ['Prefix', 'ImplementationSpecific', 'Exact'] as const) {
      const { ask, diagnostics } = serve(open, { name: 'admin', annotations, paths: [['/admin', type, 'other']] });
      expect(diagnostics.filter(({ code }) => code === 'E_IMPORT_CLOSED').map(({ severity }) => severity)).toEqual(['error']);
      expect(ask('/admin')).toBe('500');
      expect(ask('/')).toBe('main 100');
      if (type !== 'Exact') expect(ask('/admin/users')).toBe('500');
      // nginx keeps people out of all that begins with these letters.
      if (type === 'ImplementationSpecific') expect(ask('/administrator')).toBe('500');
    }
  });

  test('also where nginx takes the path for an expression, and RE2 cannot read it', () => {
    const { ask } = serve(open, {
      name: 'admin',
      annotations: { 'auth-type': 'basic', 'use-regex': 'true' },
      paths: [['/admin/(?!public).*', 'ImplementationSpecific', 'other']],
    });
    expect(ask('/admin/users')).toBe('500');
    expect(ask('/ADMIN/users')).toBe('500');
    expect(ask('/other')).toBe('main 100');
  });

  test('what nginx asks of a whole host closes all of its Ingresses', () => {
    for (const annotations of [{ 'server-snippet': 'allow 10.0.0.0/8; deny all;' }, { 'auth-tls-secret': 'default/ca' }]) {
      const { ask } = serve(open, { name: 'admin', annotations, paths: [['/admin', 'Prefix', 'other']] });
      expect([ask('/admin'), ask('/')]).toEqual(['500', '500']);
    }
  });

  // nginx asks the longer of two expressions first, so the closed one has to be longer than `/api(/|$)(.*)` to be asked at all.
  test('a prefix that is rewritten does not take what was closed below it', () => {
    const { ask, diagnostics } = serve(
      { name: 'api', annotations: { 'rewrite-target': '/$2' }, paths: [['/api(/|$)(.*)', 'ImplementationSpecific', 'main']] },
      { name: 'admin', annotations: { 'auth-type': 'basic' }, paths: [['/api/administration', 'ImplementationSpecific', 'other']] },
    );
    expect([ask('/api/administration'), ask('/api/administrations'), ask('/API/Administration/x')]).toEqual(['500', '500', '500']);
    expect(diagnostics.map(({ code }) => code)).toEqual(['W_IMPORT_NO_EQUIVALENT', 'E_IMPORT_CLOSED']);
  });

  test('in capitals, too, where nginx does not look at them', () => {
    const { ask } = serve(
      { name: 'main', annotations: { 'use-regex': 'true' }, paths: [['/', 'Prefix', 'main']] },
      { name: 'admin', annotations: { 'auth-type': 'basic' }, paths: [['/admin', 'Prefix', 'other']] },
    );
    expect([ask('/admin'), ask('/ADMIN/users'), ask('/x')]).toEqual(['500', '500', 'main 100']);
  });

  test('the canary of a closed path is closed with it', () => {
    const { ask } = serve(
      { name: 'main', annotations: { 'auth-type': 'basic' }, paths: [['/', 'Prefix', 'main']] },
      { name: 'canary', annotations: { canary: 'true', 'canary-weight': '50' }, paths: [['/', 'Prefix', 'canary']] },
    );
    expect(ask('/')).toBe('500');
  });

  test('a client certificate that nobody verifies, a firewall that is off and a harmless snippet close nothing', () => {
    for (const annotations of [
      { 'auth-tls-secret': 'default/ca', 'auth-tls-verify-client': 'off' },
      { 'enable-modsecurity': 'false' },
      { 'configuration-snippet': 'more_set_headers "X-Frame-Options: DENY";' },
    ])
      expect(serve({ ...open, annotations }).ask('/')).toBe('main 100');
  });
});
