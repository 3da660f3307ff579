/** Pages of other origins: preflights answered here, answers they may see, and everything else as ever. */
import { describe, expect, test } from 'vitest';
import type { CorsPolicy, Route } from '../../src/routing/table.ts';
import { answering } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import type { ReferenceResponse } from '../helpers/reference-message.ts';
import type { Rig } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, setHeaders, table } from '../helpers/tables.ts';
import { rig } from '../helpers/wire.ts';

const POLICY: CorsPolicy = {
  origins: [
    { kind: 'exact', value: 'https://a.example' },
    { kind: 'prefix', value: 'http://localhost:' },
    { kind: 'regex', value: 'https://[a-z]+\\.b\\.example' },
  ],
  allowMethods: 'GET,POST',
  allowHeaders: 'x-a',
  exposeHeaders: 'x-c',
  maxAgeSeconds: 60,
  allowsCredentials: true,
  forwardsUnmatched: true,
};

function shared(changes: Partial<CorsPolicy> = {}, more: Partial<Route> = {}, answer?: string): Promise<Rig> {
  return rig({ route: { cors: { ...POLICY, ...changes }, ...more }, ...(answer === undefined ? {} : { script: answering(answer) }) });
}

function ask(method: string, origin: string, lines = ''): string {
  return `${method} / HTTP/1.1\r\nHost: a\r\nOrigin: ${origin}\r\n${lines}\r\n`;
}

const ASKS_POST = 'Access-Control-Request-Method: POST\r\n';

/** Fields of CORS, in the order in which they stand. */
function said(answer: ReferenceResponse): readonly string[] {
  return answer.fields.filter(([name]) => /^(?:access-control-|vary)/i.test(name)).map(([name, value]) => `${name}: ${value}`);
}

describe('a preflight', () => {
  test.each(['https://a.example', 'http://localhost:3000', 'https://shop.b.example'])('of %s is answered here', async (origin) => {
    const started = await shared();
    const answer = await (await started.client()).ask(ask('OPTIONS', origin, ASKS_POST));
    expect(answer.status).toBe(200);
    expect(said(answer)).toEqual([
      `access-control-allow-origin: ${origin}`,
      'access-control-allow-credentials: true',
      'vary: origin',
      'access-control-allow-methods: GET,POST',
      'access-control-allow-headers: x-a',
      'access-control-max-age: 60',
    ]);
    expect(started.upstream.connections).toHaveLength(0);
  });

  test('is told nothing that is not stated', async () => {
    const { maxAgeSeconds: _none, ...rest } = POLICY;
    const started = await rig({ route: { cors: { ...rest, allowMethods: '', allowHeaders: '', allowsCredentials: false } } });
    const answer = await (await started.client()).ask(ask('OPTIONS', 'https://a.example', ASKS_POST));
    expect(said(answer)).toEqual(['access-control-allow-origin: https://a.example', 'vary: origin']);
  });

  test.each(['https://a.example.evil', 'https://b.example', 'null'])('of %s goes to the upstream', async (origin) => {
    const started = await shared();
    const answer = await (await started.client()).ask(ask('OPTIONS', origin, ASKS_POST));
    expect([answer.status, said(answer), started.upstream.requests.length]).toEqual([200, [], 1]);
  });

  test('of another origin is answered without a word, where it is to be ignored', async () => {
    const started = await shared({ forwardsUnmatched: false });
    const answer = await (await started.client()).ask(ask('OPTIONS', 'https://evil.example', ASKS_POST));
    expect([answer.status, said(answer), started.upstream.connections.length]).toEqual([200, [], 0]);
  });

  test('is repeated for any origin where all are allowed', async () => {
    const started = await shared({ origins: [{ kind: 'exact', value: '*' }] });
    const answer = await (await started.client()).ask(ask('OPTIONS', 'https://any.example', ASKS_POST));
    expect(values(answer, 'access-control-allow-origin')).toEqual(['https://any.example']);
  });

  test('comes before a fault', async () => {
    const fault = { abort: { perMillion: 1_000_000, status: 500 }, isBeforeRouter: false };
    const started = await rig({ route: { cors: POLICY }, action: { fault } });
    const client = await started.client();
    expect((await client.ask(ask('OPTIONS', 'https://a.example', ASKS_POST))).status).toBe(200);
    const aborted = await client.ask(ask('GET', 'https://a.example'));
    expect([aborted.status, values(aborted, 'access-control-allow-origin')]).toEqual([500, ['https://a.example']]);
  });
});

describe('another request', () => {
  test('of an allowed origin is forwarded, and its page may see the answer', async () => {
    const started = await shared();
    const client = await started.client();
    for (const method of ['GET', 'OPTIONS']) {
      const answer = await client.ask(ask(method, 'https://a.example'));
      expect(said(answer)).toEqual([
        'access-control-allow-origin: https://a.example',
        'access-control-allow-credentials: true',
        'vary: origin',
        'access-control-expose-headers: x-c',
      ]);
    }
    expect(started.upstream.requests.map(({ method }) => method)).toEqual(['GET', 'OPTIONS']);
  });

  test('of another origin, or of none, is forwarded, and nothing is added', async () => {
    const started = await shared();
    const client = await started.client();
    expect(said(await client.ask(ask('GET', 'https://evil.example')))).toEqual([]);
    expect(said(await client.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))).toEqual([]);
    expect(started.upstream.requests).toHaveLength(2);
  });

  test('gets the policy’s word and not the upstream’s or an operation’s', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: x-z\r\nContent-Length: 0\r\n\r\n';
    const more = { responseHeaders: setHeaders({ 'access-control-allow-origin': '*', 'x-own': '1' }) };
    const started = await shared({}, more, answer);
    const seen = await (await started.client()).ask(ask('GET', 'https://a.example'));
    expect([values(seen, 'access-control-allow-origin'), values(seen, 'access-control-expose-headers'), values(seen, 'x-own')]).toEqual([
      ['https://a.example'],
      ['x-c'],
      ['1'],
    ]);
  });

  test('may see answers Serin makes itself', async () => {
    const started = await rig({
      table: () => table([hosts(['*'], [route('/', forward(), { cors: POLICY })])], [cluster([])]),
    });
    const answer = await (await started.client()).ask(ask('GET', 'https://a.example'));
    expect([answer.status, values(answer, 'access-control-allow-origin')]).toEqual([503, ['https://a.example']]);
  });

  test('a redirect has a policy as well', async () => {
    const started = await rig({
      table: () => table([hosts(['*'], [route('/', { kind: 'redirect', status: 301, host: 'b' }, { cors: POLICY })])], []),
    });
    const answer = await (await started.client()).ask(ask('GET', 'https://a.example'));
    expect([answer.status, values(answer, 'access-control-allow-origin')]).toEqual([301, ['https://a.example']]);
  });
});

describe('by the Gateway API', () => {
  const ALL: CorsPolicy = {
    ...POLICY,
    allowMethods: '*',
    allowHeaders: '*',
    exposeHeaders: '*',
    maxAgeSeconds: 5,
    forwardsUnmatched: false,
    echoesRequested: true,
  };
  const ASKS_PUT = 'Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-header-1, x-header-2\r\n';

  async function told(
    changes: Partial<CorsPolicy>,
    lines: string,
    method = 'OPTIONS',
    origin = 'https://a.example',
  ): Promise<readonly string[]> {
    const started = await rig({ route: { cors: { ...ALL, ...changes } } });
    const answer = await (await started.client()).ask(ask(method, origin, lines));
    expect(answer.status).toBe(200);
    return said(answer);
  }

  const ORIGIN = 'access-control-allow-origin: https://a.example';
  const CREDENTIALS = 'access-control-allow-credentials: true';

  test('what is listed is told as it is listed, exposed fields included', async () => {
    expect(
      await told({ allowMethods: 'GET,OPTIONS', allowHeaders: 'x-header-1,x-header-2', exposeHeaders: 'x-header-3,x-header-4' }, ASKS_POST),
    ).toEqual([
      ORIGIN,
      CREDENTIALS,
      'vary: origin',
      'access-control-allow-methods: GET,OPTIONS',
      'access-control-allow-headers: x-header-1,x-header-2',
      'access-control-expose-headers: x-header-3,x-header-4',
      'access-control-max-age: 5',
    ]);
  });

  test('`*` is what was asked for; with credentials it is never said itself', async () => {
    const echoed = ['access-control-allow-methods: PUT', 'access-control-allow-headers: x-header-1, x-header-2'];
    expect(await told({}, ASKS_PUT)).toEqual([ORIGIN, CREDENTIALS, 'vary: origin', ...echoed, 'access-control-max-age: 5']);
    expect(await told({}, ASKS_POST)).toEqual([
      ORIGIN,
      CREDENTIALS,
      'vary: origin',
      'access-control-allow-methods: POST',
      'access-control-max-age: 5',
    ]);
    expect(await told({}, '', 'GET')).toEqual([ORIGIN, CREDENTIALS, 'vary: origin']);
    const open = await told({ allowsCredentials: false }, ASKS_POST);
    expect(open).toEqual([
      ORIGIN,
      'vary: origin',
      'access-control-allow-methods: POST',
      'access-control-allow-headers: *',
      'access-control-expose-headers: *',
      'access-control-max-age: 5',
    ]);
    expect(await told({ allowsCredentials: false }, '', 'GET')).toEqual([ORIGIN, 'vary: origin', 'access-control-expose-headers: *']);
  });

  test('what was asked for is repeated only where it is names', async () => {
    const lines = 'Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a; path="b"\r\n';
    expect(await told({}, lines)).toEqual([
      ORIGIN,
      CREDENTIALS,
      'vary: origin',
      'access-control-allow-methods: PUT',
      'access-control-max-age: 5',
    ]);
  });

  test.each([
    ['https://www.bar.com', true],
    ['https://xpto.www.bar.com', true],
    ['https://bar.com', false],
    ['http://www.bar.com', false],
    ['https://www.bar.com.evil.example', false],
  ])('a host with a wildcard and %s', async (origin, isAllowed) => {
    const origins = [{ kind: 'regex', value: 'https://.*\\.bar\\.com' }] as const;
    const preflight = await told({ origins }, ASKS_POST, 'OPTIONS', origin);
    const simple = await told({ origins, exposeHeaders: '' }, '', 'GET', origin);
    expect(preflight.includes(`access-control-allow-origin: ${origin}`)).toBe(isAllowed);
    expect(simple).toEqual(isAllowed ? [`access-control-allow-origin: ${origin}`, CREDENTIALS, 'vary: origin'] : []);
    if (!isAllowed) expect(preflight).toEqual([]);
  });

  test('GET, HEAD and POST need not be listed, and no method is kept from the upstream', async () => {
    const started = await rig({ route: { cors: { ...ALL, allowMethods: 'PUT' } } });
    const client = await started.client();
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      await client.send(ask(method, 'https://a.example'));
      expect(values(await client.response(method), 'access-control-allow-origin')).toEqual(['https://a.example']);
    }
    expect(started.upstream.requests.map(({ method }) => method)).toEqual(['GET', 'HEAD', 'PUT', 'DELETE']);
  });
});
