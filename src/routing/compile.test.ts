import { describe, expect, test } from 'vitest';
import { formatDiagnostic, hasErrors } from '../base/diagnostic.ts';
import { loadText } from '../config/load.ts';
import type { HttpRedirect } from '../config/resources.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { EMPTY_SNAPSHOT } from '../config/snapshot.ts';
import { compile } from './compile.ts';
import { explain, formatExplanation } from './explain.ts';
import { Matcher } from './matcher.ts';
import type { RequestView } from './request-view.ts';

// What is easier said in code than in a golden case (test/golden has the rest).

const REVIEWS = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews }
spec:
  hosts: [reviews]
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints:
    - { address: 127.0.0.1, ports: { http: 9081 }, labels: { version: v1 } }
    - { address: 127.0.0.1, ports: { http: 9082 }, labels: { version: v2 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---
`;

const CANARY = `${REVIEWS}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - match: [{ headers: { end-user: { exact: jason } } }]
      route: [{ destination: { host: reviews, subset: v2 } }]
    - name: split
      route:
        - { destination: { host: reviews, subset: v1 }, weight: 90 }
        - { destination: { host: reviews, subset: v2 }, weight: 10 }
`;

function load(yaml: string): Snapshot {
  const { snapshot, diagnostics } = loadText('input.yaml', yaml);
  if (hasErrors(diagnostics)) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
  return snapshot;
}

function get(path: string, headers: Readonly<Record<string, string>> = {}): RequestView {
  return { method: 'GET', scheme: 'http', authority: 'reviews:9080', path, query: '', header: (name) => headers[name] };
}

describe('a table', () => {
  test('is the same for the same snapshot', () => {
    const snapshot = load(CANARY);
    expect(compile(snapshot).table).toEqual(compile(snapshot).table);
  });

  test('can be posted to a worker and matches there as here', () => {
    const { table } = compile(load(CANARY));
    const copy = structuredClone(table);
    expect(copy).toEqual(table);
    expect(new Matcher(copy).listener('mesh')?.match(get('/'))?.route.name).toBe('split');
  });

  test('of nothing has the mesh listener, which answers nobody', () => {
    const { table, diagnostics } = compile(EMPTY_SNAPSHOT);
    expect(table).toEqual({ version: 'empty', listeners: [{ name: 'mesh', port: 0, gateways: [], virtualHosts: [] }], clusters: [] });
    expect(diagnostics).toEqual([]);
    expect(new Matcher(table).listener('mesh')?.match(get('/'))).toBeUndefined();
  });

  test('names clusters as Istio does and shares them between rules', () => {
    expect(compile(load(CANARY)).table.clusters.map(({ name }) => name)).toEqual([
      'outbound|9080|v2|reviews.default.svc.cluster.local',
      'outbound|9080|v1|reviews.default.svc.cluster.local',
    ]);
  });
});

const TWO_GATEWAYS = `${REVIEWS}
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: a }
spec: { servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [a.example.com], bind: 127.0.0.2 }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: b, namespace: other }
spec: { servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: ["*"], bind: 127.0.0.3 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: both }
spec:
  hosts: ["*"]
  gateways: [a, other/b]
  http:
    - { name: of-a, match: [{ gateways: [a] }], route: [{ destination: { host: reviews, subset: v1 } }] }
    - { name: of-b, match: [{ gateways: [other/b] }], route: [{ destination: { host: reviews, subset: v2 } }] }
`;

describe('Gateways that declare one port', () => {
  const snapshot = load(TWO_GATEWAYS);
  const ruleFor = (listener: string, authority: string, ownListeners: readonly string[]): string | undefined => {
    const { table } = compile(snapshot, { ownListeners: new Set(ownListeners) });
    return new Matcher(table).listener(listener)?.match({ ...get('/'), authority })?.route.name;
  };

  test('share its listener', () => {
    const { table } = compile(snapshot);
    expect(table.listeners.map(({ name, port, gateways }) => ({ name, port, gateways }))).toEqual([
      { name: 'mesh', port: 0, gateways: [] },
      { name: '80', port: 80, gateways: ['default/a', 'other/b'] },
    ]);
    expect(ruleFor('80', 'a.example.com', [])).toBe('of-a');
    expect(ruleFor('80', 'x.example.com', [])).toBe('of-b');
  });

  test('have one each where the operator says so', () => {
    const { table } = compile(snapshot, { ownListeners: new Set(['other/b:80']) });
    expect(table.listeners.map(({ name, port, bind }) => ({ name, port, bind }))).toEqual([
      { name: 'mesh', port: 0, bind: undefined },
      { name: '80', port: 80, bind: '127.0.0.2' },
      { name: 'other/b:80', port: 80, bind: '127.0.0.3' },
    ]);
    expect(ruleFor('80', 'a.example.com', ['other/b:80'])).toBe('of-a');
    expect(ruleFor('80', 'x.example.com', ['other/b:80'])).toBeUndefined();
    expect(ruleFor('other/b:80', 'a.example.com', ['other/b:80'])).toBe('of-b');
  });

  test('and state two addresses for it, take the first with a warning', () => {
    const { table, diagnostics } = compile(snapshot);
    expect(table.listeners.find(({ name }) => name === '80')?.bind).toBe('127.0.0.2');
    expect(diagnostics).toMatchObject([{ code: 'W_BIND_CONFLICT', severity: 'warning', kind: 'Gateway', namespace: 'other', name: 'b' }]);
  });
});

describe('a short host on a Gateway', () => {
  test('is served as written and under its full name', () => {
    const yaml = TWO_GATEWAYS.replace('hosts: ["*"]\n  gateways: [a, other/b]', 'hosts: [localhost]\n  gateways: [a, other/b]');
    const { table } = compile(load(yaml));
    const listener = new Matcher(table).listener('80');
    expect(listener?.match({ ...get('/'), authority: 'localhost:8080' })?.route.name).toBe('of-b');
    expect(listener?.match({ ...get('/'), authority: 'localhost.default.svc.cluster.local' })?.route.name).toBe('of-b');
    expect(listener?.match({ ...get('/'), authority: 'a.example.com' })).toBeUndefined();
  });
});

describe('a redirect', () => {
  const snapshotWith = (redirect: HttpRedirect): Snapshot => {
    const snapshot = load(CANARY);
    const virtualServices = snapshot.virtualServices.map((virtualService) =>
      Object.assign({}, virtualService, {
        spec: { hosts: ['reviews'], http: [{ redirect }, { route: [{ destination: { host: 'reviews' } }] }] },
      }),
    );
    return { ...snapshot, virtualServices };
  };

  test.each([301, 302, 303, 307, 308])('with %i is one', (redirectCode) => {
    const { table, diagnostics } = compile(snapshotWith({ uri: '/x', redirectCode }));
    expect(explain(table, 'mesh', get('/'))).toMatchObject({ outcome: 'redirect', answer: { status: redirectCode } });
    expect(diagnostics).toEqual([]);
  });

  test('with a code that has no effect lets nobody through', () => {
    const { table, diagnostics } = compile(snapshotWith({ uri: '/x', redirectCode: 306 }));
    expect(explain(table, 'mesh', get('/'))).toMatchObject({ outcome: 'directResponse', answer: { status: 500 } });
    expect(diagnostics).toMatchObject([{ code: 'W_REDIRECT_CODE', path: 'spec.http[0].redirect.redirectCode' }]);
  });
});

describe('a wildcard VirtualService on the mesh', () => {
  const yaml = `${REVIEWS}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: wildcard }
spec:
  hosts: ["*.default.svc.cluster.local"]
  http: [{ name: wildcard, route: [{ destination: { host: reviews, subset: v1 } }] }]
`;

  test('rules services that have none of their own', () => {
    const { table } = compile(load(yaml));
    expect(new Matcher(table).listener('mesh')?.match(get('/'))?.route.name).toBe('wildcard');
  });

  test('leaves a service that has one alone', () => {
    const { table } = compile(load(`${CANARY}---${yaml.slice(REVIEWS.length)}`));
    expect(new Matcher(table).listener('mesh')?.match(get('/'))?.route.name).toBe('split');
  });
});

describe('rules that are all for other listeners', () => {
  test('leave a service its default route', () => {
    const yaml = `${REVIEWS}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http: [{ match: [{ port: 1 }], route: [{ destination: { host: reviews, subset: v2 } }] }]
`;
    const route = new Matcher(compile(load(yaml)).table).listener('mesh')?.match(get('/'))?.route;
    expect(route?.name).toBe('default');
    expect(route?.source).toMatchObject({ kind: 'ServiceEntry', name: 'reviews', path: '' });
  });
});

describe('an explanation', () => {
  const { table } = compile(load(CANARY));

  test('names the rule, and why the others lost', () => {
    expect(formatExplanation(explain(table, 'mesh', get('/reviews/0', { 'end-user': 'lucy' }))))
      .toBe(`GET http://reviews:9080/reviews/0 on listener mesh
virtual host reviews.default.svc.cluster.local:9080 (its domain reviews)

no: http[0] (VirtualService default/reviews spec.http[0], input.yaml:27)
    spec.http[0].match[0]: header end-user exact "jason": no, the request has "lucy"
takes it: split (VirtualService default/reviews spec.http[1], input.yaml:29)
    spec.http[1]: no condition

90 % to outbound|9080|v1|reviews.default.svc.cluster.local, Host reviews:9080
    endpoints: 127.0.0.1:9081 (LEAST_REQUEST)
10 % to outbound|9080|v2|reviews.default.svc.cluster.local, Host reviews:9080
    endpoints: 127.0.0.1:9082 (LEAST_REQUEST)
path sent: /reviews/0
timeout: none; the answer must begin within 30 s
retries: none but a connection that could not be made, and an idempotent request without a body on a connection just closed
`);
  });

  test('says that a header is missing, and which rules were not asked', () => {
    const { rules } = explain(table, 'mesh', get('/', { 'end-user': 'jason' }));
    expect(rules.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['http[0]', 'taken'],
      ['split', 'notReached'],
    ]);
    expect(explain(table, 'mesh', get('/')).rules[0]?.matches[0]?.conditions).toEqual([
      { what: 'header end-user', expected: 'exact "jason"', found: null, holds: false },
    ]);
  });

  test('is plain JSON', () => {
    const explanation = explain(table, 'mesh', get('/'));
    expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
  });

  test.each([
    ['80', 'reviews', 'noListener', 'there is no listener 80'],
    ['mesh', 'ghost', 'noVirtualHost', '404 (NR): nothing here serves the host "ghost"'],
  ])('of listener %s and host %s is %s', (listener, authority, outcome, text) => {
    const explanation = explain(table, listener, { ...get('/'), authority });
    expect(explanation.outcome).toBe(outcome);
    expect(formatExplanation(explanation)).toContain(text);
  });
});
