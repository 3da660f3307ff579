/** Preview links as literal bytes: what leads to the new version, what the client is told, and what is left of it upstream. */
import { describe, expect, test } from 'vitest';
import { PREVIEW_HEADER, signPreview } from '../../src/config/preview.ts';
import { NO_HEADER_OPS } from '../../src/routing/table.ts';
import type { HeaderOps } from '../../src/routing/table.ts';
import { cluster, forward, hosts, route, setHeaders, table } from '../helpers/tables.ts';
import { type ReferenceRequest, values } from '../helpers/reference-message.ts';
import type { RigOptions } from '../helpers/rig.ts';
import { rig } from '../helpers/wire.ts';

const KEY = new Uint8Array(32).fill(9);
const inAnHour = (): number => Math.floor(Date.now() / 1000) + 3600;
const GOOD = signPreview(KEY, 'default/reviews#1/v2', inAnHour());
const OTHER = signPreview(KEY, 'default/ratings#1/v2', inAnHour());

interface Shape {
  readonly ops?: HeaderOps;
  readonly options?: RigOptions['options'];
}

/** One upstream; `x-arm` says by which rule a request came. */
const options = ({ ops = NO_HEADER_OPS, options: more = {} }: Shape): RigOptions => ({
  options: { previewKey: KEY, ...more },
  table: (port) =>
    table(
      [
        hosts(
          ['*'],
          [
            route('/', forward(), {
              matches: [
                {
                  path: '',
                  headers: [
                    { name: PREVIEW_HEADER, value: { kind: 'exact', value: 'default/reviews#1/v2' }, invert: false, missingIsEmpty: false },
                  ],
                  queryParams: [],
                },
              ],
              requestHeaders: { ...ops, set: [...ops.set, ...setHeaders({ 'x-arm': 'v2' }).set] },
            }),
            route('/', forward(), { requestHeaders: { ...ops, set: [...ops.set, ...setHeaders({ 'x-arm': 'v1' }).set] } }),
          ],
        ),
      ],
      [cluster(port)],
    ),
});

async function forwarded(bytes: string, shape: Shape = {}): Promise<ReferenceRequest & { readonly cookie: string | undefined }> {
  const started = await rig(options(shape));
  const client = await started.sent(bytes);
  const { status, fields } = await client.response();
  expect(status).toBe(200);
  const [request] = started.upstream.requests;
  if (request === undefined) throw new Error('nothing reached the upstream');
  expect(started.upstream.text).not.toContain('serin-preview');
  return { ...request, cookie: fields.find(([name]) => name.toLowerCase() === 'set-cookie')?.[1] };
}

const head = (line: string, ...fields: string[]): string => `${line} HTTP/1.1\r\n${['Host: a', ...fields].join('\r\n')}\r\n\r\n`;

describe('which version, and what is left', () => {
  test.each<[what: string, bytes: string, arm: string, target: string, cookies: string[]]>([
    ['a cookie', head('GET /p?q=1', `Cookie: serin-preview=${GOOD}`), 'v2', '/p?q=1', []],
    ['a cookie among others', head('GET /', `cookie: a=1; serin-preview=${GOOD}; b=2`), 'v2', '/', ['a=1; b=2']],
    ['in one of several fields', head('GET /', 'Cookie: a=1', `Cookie: serin-preview=${GOOD}`, 'Cookie: b=2'), 'v2', '/', ['a=1; b=2']],
    ['the header', head('GET /', `X-Serin-Preview: ${GOOD}`, 'Cookie: a=1'), 'v2', '/', ['a=1']],
    ['the header beside a bad cookie', head('GET /', `x-serin-preview: ${GOOD}`, 'Cookie: serin-preview=x'), 'v2', '/', []],
    ['two headers', head('GET /', `x-serin-preview: ${GOOD}`, `x-serin-preview: ${GOOD}`), 'v1', '/', []],
    ['the grant without a signature', head('GET /', 'x-serin-preview: default/reviews#1/v2'), 'v1', '/', []],
    ["another release's", head('GET /', `Cookie: serin-preview=${OTHER}; a=1`), 'v1', '/', ['a=1']],
    ["another release's link", head(`GET /?serin-preview=${OTHER}&q`), 'v1', '/?q', []],
    ['a bad link', head('GET /p?a=1&serin-preview=bad'), 'v1', '/p?a=1', []],
    ['a bad link with a good cookie', head('GET /p?serin-preview=bad', `Cookie: serin-preview=${GOOD}`), 'v2', '/p', []],
    ['an absolute target', head('GET http://a/p?serin-preview=bad&b=%2f'), 'v1', '/p?b=%2f', []],
    ['nothing of ours', head('GET /p?preview=1', 'Cookie: preview=1'), 'v1', '/p?preview=1', ['preview=1']],
  ])('%s', async (_what, bytes, arm, target, cookies) => {
    const request = await forwarded(bytes);
    expect(values(request, 'x-arm')).toEqual([arm]);
    expect(request.target).toBe(target);
    expect(values(request, 'cookie')).toEqual(cookies);
    expect(values(request, PREVIEW_HEADER)).toEqual([]);
    expect(request.cookie).toBeUndefined();
  });

  test('without a key nothing is valid, and everything is taken off', async () => {
    const request = await forwarded(head('GET /', `Cookie: serin-preview=${GOOD}`), { options: { previewKey: new Uint8Array(32) } });
    expect(values(request, 'x-arm')).toEqual(['v1']);
  });

  test('rules that change or quote cookies see what is left', async () => {
    const quote: HeaderOps = {
      ...NO_HEADER_OPS,
      set: [
        { name: 'x-cookie', value: [{ command: 'REQ', argument: 'cookie' }] },
        { name: 'x-path', value: [{ command: 'REQ', argument: ':path' }] },
        { name: 'x-token', value: [{ command: 'REQ', argument: PREVIEW_HEADER }] },
      ],
    };
    const quoted = await forwarded(head('GET /p?serin-preview=bad', `Cookie: a=1; serin-preview=${GOOD}`), { ops: quote });
    expect([values(quoted, 'x-cookie'), values(quoted, 'x-path')]).toEqual([['a=1'], ['/p']]);
    expect(values(quoted, 'x-token').join()).not.toContain(GOOD);
    const removed = await forwarded(head('GET /', `Cookie: a=1; serin-preview=${GOOD}`), { ops: { ...NO_HEADER_OPS, remove: ['cookie'] } });
    expect(values(removed, 'cookie')).toEqual([]);
    const set = await forwarded(head('GET /', `Cookie: a=1; serin-preview=${GOOD}`), { ops: setHeaders({ cookie: 'c=3' }) });
    expect(values(set, 'cookie')).toEqual(['c=3']);
  });

  test('a trusted proxy in front changes nothing', async () => {
    const trusted = { options: { trustedProxies: ['127.0.0.1'] } };
    const request = await forwarded(head('GET /', `x-serin-preview: ${GOOD}`, 'x-forwarded-for: 10.0.0.1'), trusted);
    expect([values(request, 'x-arm'), values(request, PREVIEW_HEADER)]).toEqual([['v2'], []]);
  });
});

describe('by the link', () => {
  async function answered(bytes: string, shape: Shape = {}): Promise<{ status: number; location: string | undefined; cookie: string }> {
    const started = await rig(options(shape));
    const client = await started.sent(bytes);
    const { status, fields } = await client.response(bytes.split(' ', 1)[0]);
    expect(started.upstream.text).toBe('');
    const field = (name: string): string | undefined => fields.find(([each]) => each.toLowerCase() === name)?.[1];
    expect(field('cache-control')).toBe('no-store');
    return { status, location: field('location'), cookie: field('set-cookie') ?? '' };
  }

  test.each([
    ['GET', `/p?serin-preview=${GOOD}`, '/p'],
    ['HEAD', `/p?a=1&serin-preview=${GOOD}&b=%2F`, '/p?a=1&b=%2F'],
    ['GET', `http://a/p?serin-preview=${GOOD}`, '/p'],
    ['GET', `/?serin-preview=${GOOD}&serin-preview=x`, '/'],
    // Never to another host.
    ['GET', `//evil.example/x?serin-preview=${GOOD}`, '/.//evil.example/x'],
  ])('%s %s leads to the same place without the token', async (method, target, location) => {
    const answer = await answered(head(`${method} ${target}`));
    expect(answer).toMatchObject({ status: 302, location });
    const { token, age } =
      /^serin-preview=(?<token>[^;]+); Path=\/; Max-Age=(?<age>\d+); HttpOnly; SameSite=Lax$/.exec(answer.cookie)?.groups ?? {};
    expect(token).toBe(GOOD);
    expect(Number(age)).toBeGreaterThan(3000);
    expect(Number(age)).toBeLessThanOrEqual(3600);
  });

  test('over TLS that ends at a trusted proxy the cookie is Secure', async () => {
    const bytes = head(`GET /?serin-preview=${GOOD}`, 'x-forwarded-proto: https');
    expect((await answered(bytes, { options: { trustedProxies: ['127.0.0.1'] } })).cookie).toMatch(/; Secure$/);
    expect((await answered(bytes)).cookie).not.toMatch(/Secure/);
  });

  test('a request that cannot simply be asked again goes on, and its answer sets the cookie', async () => {
    const request = await forwarded(`${head(`POST /p?a=1&serin-preview=${GOOD}`, 'Content-Length: 5')}hello`);
    expect([values(request, 'x-arm'), request.target, request.body.toString()]).toEqual([['v2'], '/p?a=1', 'hello']);
    expect(request.cookie).toContain(`serin-preview=${GOOD}; Path=/`);
  });

  test('the next request on the connection is an ordinary one again', async () => {
    const started = await rig(options({}));
    const client = await started.client();
    await client.ask(head('GET /', `Cookie: serin-preview=${GOOD}`));
    await client.ask(head('GET /two', 'Cookie: a=1'));
    const [first, second] = started.upstream.requests;
    expect([first && values(first, 'x-arm'), second && values(second, 'x-arm')]).toEqual([['v2'], ['v1']]);
    expect(second && values(second, 'cookie')).toEqual(['a=1']);
  });
});
