/** The short form: what it expands to, and that every problem is shown at its own lines. */
import { describe, expect, test } from 'vitest';
import { loadText } from './load.ts';
import { renderIstio } from './render.ts';
import { originOf } from './origins.ts';

const REVIEWS = `services:
  reviews:
    versions:
      v1: http://127.0.0.1:9081
      v2: [http://127.0.0.1:9082, "http://[::1]:9082"]
    healthCheck: { path: /health, interval: 2s }
    loadBalancer: RANDOM
    routes:
      - match: { headers: { end-user: jason } }
        to: v2
      - split: { v1: 90, v2: 10 }
        timeout: 5s
`;

describe('expansion', () => {
  const { snapshot, diagnostics } = loadText('x.yaml', REVIEWS);

  test('no problem is found in it', () => {
    expect(diagnostics).toEqual([]);
  });

  test('a ServiceEntry has an endpoint for each URL, labelled with its version', () => {
    expect(snapshot.serviceEntries.map(({ metadata, spec }) => ({ metadata, spec }))).toEqual([
      {
        metadata: {
          name: 'reviews',
          namespace: 'default',
          annotations: { 'serin.dev/health-check': '{"path":"/health","interval":"2s"}' },
        },
        spec: {
          hosts: ['reviews'],
          ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
          location: 'MESH_INTERNAL',
          resolution: 'STATIC',
          endpoints: [
            { address: '127.0.0.1', ports: { http: 9081 }, labels: { version: 'v1' } },
            { address: '127.0.0.1', ports: { http: 9082 }, labels: { version: 'v2' } },
            { address: '::1', ports: { http: 9082 }, labels: { version: 'v2' } },
          ],
        },
      },
    ]);
  });

  test('a DestinationRule has a subset for each version', () => {
    expect(snapshot.destinationRules.map(({ spec }) => spec)).toEqual([
      {
        host: 'reviews',
        trafficPolicy: { loadBalancer: { simple: 'RANDOM' } },
        subsets: [
          { name: 'v1', labels: { version: 'v1' } },
          { name: 'v2', labels: { version: 'v2' } },
        ],
      },
    ]);
  });

  test('a VirtualService has a rule for each route, which stands where the route does', () => {
    expect(snapshot.virtualServices.map(({ spec }) => spec)).toEqual([
      {
        hosts: ['reviews'],
        http: [
          { match: [{ headers: { 'end-user': { exact: 'jason' } } }], route: [{ destination: { host: 'reviews', subset: 'v2' } }] },
          {
            route: [
              { destination: { host: 'reviews', subset: 'v1' }, weight: 90 },
              { destination: { host: 'reviews', subset: 'v2' }, weight: 10 },
            ],
            timeout: '5s',
          },
        ],
      },
    ]);
    expect(snapshot.virtualServices[0]?.spec.http?.map((rule) => originOf(rule)?.line)).toEqual([9, 11]);
    expect(snapshot.virtualServices[0]?.origin).toEqual({ file: 'x.yaml', line: 2, column: 3 });
  });

  test('rendered, it says the same without the short form', () => {
    const again = loadText('y.yaml', renderIstio(loadText('x.yaml', REVIEWS).resources));
    expect(again.diagnostics).toEqual([]);
    expect(again.snapshot.virtualServices.map(({ spec }) => spec)).toEqual(snapshot.virtualServices.map(({ spec }) => spec));
    expect(again.snapshot.serviceEntries[0]?.spec.hosts).toEqual(['reviews.default.svc.cluster.local']);
  });

  test('a host name makes the service one that is looked up; without routes there is no VirtualService; match forms', () => {
    const named = loadText('x', 'services: { a: { port: 9080, namespace: prod, versions: { v1: http://Localhost } } }\n').snapshot;
    expect(named.virtualServices).toEqual([]);
    expect(named.serviceEntries[0]).toMatchObject({
      metadata: { namespace: 'prod' },
      spec: { resolution: 'DNS', ports: [{ number: 9080 }], endpoints: [{ address: 'localhost', ports: { http: 80 } }] },
    });
    const match = 'match: [{ path: /a, method: GET, queryParams: { q: { regex: x } } }, { uri: { exact: /b } }]';
    const matched = loadText('x', `services: { a: { versions: { v1: http://127.0.0.1 }, routes: [{ ${match}, to: v1 }] } }\n`).snapshot;
    expect(matched.virtualServices[0]?.spec.http?.[0]?.match).toEqual([
      { uri: { prefix: '/a' }, method: { exact: 'GET' }, queryParams: { q: { regex: 'x' } } },
      { uri: { exact: '/b' } },
    ]);
  });
});

describe('problems, at the line of the short form', () => {
  const said = (service: string): string[] =>
    loadText('x', `services:\n  reviews:\n${service.replaceAll(/^/gm, '    ')}\n`).diagnostics.map(
      ({ line, column, code, path }) => `${line}:${column} ${code} ${path.replace(/^services\.reviews\.?/, '')}`,
    );
  const V = 'versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }\n';
  const url = (text: string): string => `versions:\n  v1: ${text}`;

  test.each([
    [url('ftp://127.0.0.1'), ['4:11 E_URL versions.v1']],
    [url('https://127.0.0.1'), ['4:11 E_URL versions.v1']],
    [url('127.0.0.1:9081'), ['4:11 E_URL versions.v1']],
    [url('http://'), ['4:11 E_URL versions.v1']],
    [url('http://:80'), ['4:11 E_URL versions.v1']],
    [url('http://127.0.0.1/path'), ['4:11 E_URL versions.v1']],
    [url('http://127.0.0.1?q=1'), ['4:11 E_URL versions.v1']],
    [url('"http://127.0.0.1#f"'), ['4:11 E_URL versions.v1']],
    [url('http://user:pass@127.0.0.1'), ['4:11 E_URL versions.v1']],
    [url('http://127.0.0.1:0'), ['4:11 E_PORT versions.v1']],
    [url('http://127.0.0.1:65536'), ['4:11 E_PORT versions.v1']],
    [url('http://127.0.0.1:80a'), ['4:11 E_PORT versions.v1']],
    [url('http://127.1:80'), ['4:11 E_ADDRESS versions.v1']],
    [url('http://0177.0.0.1'), ['4:11 E_ADDRESS versions.v1']],
    [url('http://0x7f000001'), ['4:11 E_ADDRESS versions.v1']],
    [url('http://999.1.1.1'), ['4:11 E_ADDRESS versions.v1']],
    [url('http://[::g]:80'), ['4:11 E_ADDRESS versions.v1']],
    [url('"http://a b"'), ['4:11 E_HOST versions.v1']],
    [url('"http://a\\0b"'), ['4:11 E_HOST versions.v1']],
    [url(`http://${'a'.repeat(300)}`), ['4:11 E_HOST versions.v1']],
    [url('5'), ['4:11 E_TYPE versions.v1']],
    [url('[]'), ['4:7 E_REQUIRED versions.v1']],
    [url('{}'), ['4:7 E_REQUIRED versions.v1']],
    [url('{ url: http://127.0.0.1, urls: [http://127.0.0.1] }'), ['4:7 E_ONE_OF versions.v1', '4:43 W_INEFFECTIVE versions.v1.urls[0]']],
    [url('{ url: http://127.0.0.1, instances: 2 }'), ['4:7 E_REQUIRED versions.v1']],
    [url('{ url: http://127.0.0.1, run: node a.js }'), ['4:7 E_ONE_OF versions.v1']],
    [url('{ run: "" }'), ['4:18 E_PROC_COMMAND versions.v1.run']],
    [url('{ run: [] }'), ['4:13 E_TYPE versions.v1.run']],
    [url('{ run: node a.js | tee log }'), ['4:18 E_PROC_COMMAND versions.v1.run']],
    [url('{ run: A=1 node a.js }'), ['4:18 E_PROC_COMMAND versions.v1.run']],
    [url('{ run: node a.js, env: { PORT: 80 } }'), ['4:42 E_CONFIG_ENV versions.v1.env.PORT']],
    [url('{ run: node a.js, env: { A: "${B" } }'), ['4:39 E_CONFIG_ENV versions.v1.env.A']],
    [url('{ run: node a.js, env: { A: [1] } }'), ['4:36 E_TYPE versions.v1.env.A']],
    [url('{ run: node a.js, env: { API_TOKEN: s3cret } }'), ['4:47 W_INLINE_SECRET versions.v1.env.API_TOKEN']],
    [url('{ run: node a.js, ready: health }'), ['4:36 E_PATH versions.v1.ready']],
    [url('{ run: node a.js, ready: { timeout: soon } }'), ['4:47 E_DURATION versions.v1.ready.timeout']],
    [url('{ run: node a.js, instances: 0 }'), ['4:40 E_RANGE versions.v1.instances']],
    [url('{ run: node a.js, stopTimeout: -1s }'), ['4:42 E_DURATION versions.v1.stopTimeout']],
    ['versions: {}', ['3:5 E_REQUIRED versions']],
    ['versions: { V_1: http://127.0.0.1 }', ['3:17 E_NAME versions.V_1']],
    ['routes: []', ['2:3 E_REQUIRED versions', '3:5 E_REQUIRED routes']],
    [`${V}wieght: 1`, ['4:5 E_UNKNOWN_KEY wieght']],
    [`${V}port: 0`, ['4:11 E_PORT port']],
    [`${V}port: 8080.5`, ['4:11 E_TYPE port']],
    [`${V}namespace: A`, ['4:16 E_NAME namespace']],
    [`${V}loadBalancer: FAST`, ['4:19 E_ENUM loadBalancer']],
    [`${V}healthCheck: { path: x }`, ['4:26 E_PATH healthCheck.path']],
    [`${V}healthCheck: { path: /x, interval: 5 }`, ['4:40 E_TYPE healthCheck.interval']],
    [`${V}rollout: {}`, ['4:5 E_REQUIRED rollout.stable']],
    [`${V}rollout: { stable: v1 }`, ['4:5 E_REQUIRED rollout']],
    [`${V}rollout: { stable: v1, canaries: [v2, v7] }`, ['4:43 E_REF rollout.canaries[1]']],
    [`${V}rollout: { stable: v1, canary: v3 }`, ['4:36 E_REF rollout.canary']],
    [`${V}rollout: { stable: v1, canary: v2, steps: [] }`, ['4:40 E_CONFIG_STEPS rollout.steps']],
    [`${V}rollout: { stable: v1, canary: v2, steps: [{ setWeight: 200 }] }`, ['4:61 E_RANGE rollout.steps[0].setWeight']],
    [
      `${V}rollout: { stable: v1, canary: v2, steps: [{ setWeight: 100 }], strategy: { ab: { duration: 1s, setWeight: 5 } } }`,
      ['4:5 E_ONE_OF rollout'],
    ],
    [`${V}routes: []`, ['4:5 E_REQUIRED routes']],
    [`${V}routes: [{ to: v3 }]`, ['4:20 E_REF routes[0].to']],
    [`${V}routes: [{ split: { v1: 1, v3: 1 } }]`, ['4:32 E_REF routes[0].split.v3']],
    [`${V}routes: [{ split: { v1: 0, v2: 0 } }]`, ['4:16 E_WEIGHT routes[0].split']],
    [`${V}routes: [{ split: { v1: -1, v2: 2 } }]`, ['4:29 E_WEIGHT routes[0].split.v1']],
    [`${V}routes: [{ split: { v1: 1.5, v2: 2 } }]`, ['4:29 E_TYPE routes[0].split.v1']],
    [`${V}routes: [{ to: v1, split: { v1: 1 } }]`, ['4:14 E_ONE_OF routes[0]']],
    [`${V}routes: [{ timeout: 1s }]`, ['4:14 E_REQUIRED routes[0]']],
    [`${V}routes: [{ to: v1, timeout: 5x }]`, ['4:33 E_DURATION routes[0].timeout']],
    [`${V}routes: [{ to: v1, match: { headers: { "a b": x } } }]`, ['4:44 E_HEADER_NAME routes[0].match.headers["a b"]']],
    [`${V}routes: [{ to: v1, match: { headers: { a: 5 } } }]`, ['4:47 E_TYPE routes[0].match.headers.a']],
    [`${V}routes: [{ to: v1, match: { path: { regex: "(" } } }]`, ['4:33 E_REGEX routes[0].match.path']],
    [`${V}routes: [{ to: v1, match: { path: /a, uri: /b } }]`, ['4:24 E_ONE_OF routes[0].match']],
    [`${V}routes: [{ to: v1 }, { to: v2 }]`, ['4:26 W_UNREACHABLE routes[1]']],
  ])('%s', (service, expected) => {
    expect(said(service)).toEqual(expected);
  });

  test('names close to the one meant are offered', () => {
    const { diagnostics } = loadText(
      'x',
      'services: { a: { versions: { v1: http://127.0.0.1, canary: http://127.0.0.1 }, routes: [{ to: canry }] } }\n',
    );
    expect(diagnostics[0]?.hint).toBe('did you mean canary?');
  });

  test.each(['services: []\n', 'services: 5\n', 'services:\n'])('%j', (text) => {
    expect(loadText('x', text).diagnostics.map(({ code }) => code)).toEqual(['E_TYPE']);
  });

  test('mistakes in two services are both said', () => {
    expect(
      loadText('x', 'services: { a: { versions: {} }, "B_": {}, c: 5 }\n').diagnostics.map(({ code, path }) => `${code} ${path}`),
    ).toEqual(['E_REQUIRED services.a.versions', 'E_NAME services.B_', 'E_REQUIRED services.B_.versions', 'E_TYPE services.c']);
  });

  test('one mistake does not hide another', () => {
    const text = [
      'services:',
      '  a:',
      '    versions: { v1: http://127.0.0.1:9081, v2: ftp://x, v3: { url: 5, wieght: 1 } }',
      '    port: "80"',
      '    routes:',
      '    - split: { v1: -1, v9: x }',
      '    - match: { hedaers: {}, headers: { x: { regex: "(" } } }',
      '      to: v7',
      '    - { too: v1 }',
      '    - { to: v1, timeout: 5q }',
      'extra: 1',
    ].join('\n');
    expect(loadText('x', text).diagnostics.map(({ code, path }) => `${code} ${path.replace('services.a.', '')}`)).toEqual([
      'E_URL versions.v2',
      'E_TYPE versions.v3.url',
      'E_UNKNOWN_KEY versions.v3.wieght',
      'E_TYPE port',
      'E_WEIGHT routes[0].split.v1',
      'E_TYPE routes[0].split.v9',
      'E_UNKNOWN_KEY routes[1].match.hedaers',
      'E_REGEX routes[1].match.headers.x',
      'E_REF routes[1].to',
      'E_UNKNOWN_KEY routes[2].too',
      'E_DURATION routes[3].timeout',
      'E_UNKNOWN_KEY extra',
    ]);
  });
});
