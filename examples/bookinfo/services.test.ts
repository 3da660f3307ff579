/** What details, ratings and reviews answer, over real sockets: the shapes of Istio's Bookinfo, which its YAML and its users rely on. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { upstreamOf } from './call.ts';
import { Child } from './demo/child.ts';
import { detailsHandler } from './details.ts';
import { ratingsHandler } from './ratings.ts';
import { reviewsHandler } from './reviews.ts';
import { json, startService, type Handler, type RunningService, type ServiceRequest } from './service.ts';
import type { ServiceName } from './workloads.ts';

const running: RunningService[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
});

async function start(service: ServiceName, version: string, handler: Handler): Promise<string> {
  const started = await startService({ service, version }, 0, handler);
  running.push(started);
  return started.url;
}

async function startReviews(version: string, ratingsUrl: string): Promise<string> {
  return start('reviews', version, reviewsHandler({ service: 'reviews', version }, upstreamOf('ratings', { RATINGS_URL: ratingsUrl })));
}

async function getJson(url: string, headers: Record<string, string> = {}): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, { headers });
  return { status: response.status, body: await response.json() };
}

const review = (reviewer: string, rating?: unknown): unknown => ({
  reviewer,
  text: expect.stringMatching(/\w{3}/),
  ...(rating === undefined ? {} : { rating }),
});
const answer = (version: string, reviews: unknown[]): unknown => ({
  id: '0',
  podname: expect.stringMatching(new RegExp(`^reviews-${version}-`)),
  clustername: expect.any(String),
  reviews,
});

test('details tells what is printed on the book', async () => {
  const url = await start('details', 'v1', detailsHandler());
  const { status, body } = await getJson(`${url}/details/0`);
  expect(status).toBe(200);
  expect(body).toEqual({
    id: 0,
    author: 'William Shakespeare',
    year: expect.any(Number),
    type: 'paperback',
    pages: expect.any(Number),
    publisher: expect.any(String),
    language: 'English',
    'ISBN-10': expect.stringMatching(/^\d{10}$/),
    'ISBN-13': expect.stringMatching(/^\d{3}-\d{10}$/),
  });
});

test('ratings gives the stars by reviewer', async () => {
  const url = await start('ratings', 'v1', ratingsHandler());
  expect(await getJson(`${url}/ratings/0`)).toEqual({ status: 200, body: { id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } } });
  expect(await getJson(`${url}/ratings/7`)).toMatchObject({ status: 200, body: { id: 7 } });
});

describe('reviews', () => {
  test('v1 has no stars, and asks nobody for them', async () => {
    const url = await startReviews('v1', 'http://127.0.0.1:1');
    const { body } = await getJson(`${url}/reviews/0`);
    expect(body).toStrictEqual(answer('v1', [review('Reviewer1'), review('Reviewer2')]));
  });

  test.each([
    ['v2', 'black'],
    ['v3', 'red'],
  ])('%s has stars in %s', async (version, color) => {
    const url = await startReviews(version, await start('ratings', 'v1', ratingsHandler()));
    const { body } = await getJson(`${url}/reviews/0`);
    expect(body).toEqual(answer(version, [review('Reviewer1', { stars: 5, color }), review('Reviewer2', { stars: 4, color })]));
  });

  test('v4 has red stars where it does not fail, as it does about one time in five', async () => {
    const url = await startReviews('v4', await start('ratings', 'v1', ratingsHandler()));
    const answers = await Promise.all(Array.from({ length: 400 }, () => getJson(`${url}/reviews/0`)));
    const failed = answers.filter(({ status }) => status === 500);
    // Six standard deviations of a binomial(400, 0.2).
    expect(Math.abs(failed.length - 80)).toBeLessThan(48);
    expect(answers.find(({ status }) => status === 200)?.body).toMatchObject({ reviews: [{ rating: { color: 'red' } }, {}] });
  });

  test('takes as long as it is told to', async () => {
    const handler = reviewsHandler({ service: 'reviews', version: 'v1' }, upstreamOf('ratings', {}), 50);
    const url = await start('reviews', 'v1', handler);
    const beganAt = performance.now();
    expect(await getJson(`${url}/reviews/0`)).toMatchObject({ status: 200 });
    expect(performance.now() - beganAt).toBeGreaterThan(49);
  });

  test.each<[string, Handler]>([
    ['fails', () => json(503, {})],
    ['answers nonsense', () => ({ status: 200, headers: {}, body: '<html>' })],
    ['answers another shape', () => json(200, { ratings: 5 })],
  ])('still serves the reviews when ratings %s', async (_, handler) => {
    const url = await startReviews('v2', await start('ratings', 'v1', handler));
    const rating = { error: expect.stringMatching(/unavailable/) };
    expect(await getJson(`${url}/reviews/0`)).toEqual({
      status: 200,
      body: answer('v2', [review('Reviewer1', rating), review('Reviewer2', rating)]),
    });
  });

  test('calls ratings with the user and the trace of its own request, and nothing else of it', async () => {
    const seen: ServiceRequest[] = [];
    const ratings = await start('ratings', 'v1', (request) => {
      seen.push(request);
      return json(200, { id: 0, ratings: {} });
    });
    const url = await startReviews('v3', ratings);
    const trace = { 'x-request-id': 'r-1', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, b3: '1-2-1', 'x-b3-traceid': '1' };
    await getJson(`${url}/reviews/0`, { ...trace, 'end-user': 'jason', cookie: 'secret=1', authorization: 'Bearer secret' });
    expect(seen).toHaveLength(1);
    expect(seen[0]?.path).toBe('/ratings/0');
    expect(seen[0]?.headers).toMatchObject({ ...trace, 'end-user': 'jason' });
    expect(seen[0]?.headers).not.toHaveProperty('cookie');
    expect(seen[0]?.headers).not.toHaveProperty('authorization');
  });
});

describe('every service', () => {
  const handlers: [ServiceName, Handler][] = [
    ['details', detailsHandler()],
    ['ratings', ratingsHandler()],
    ['reviews', reviewsHandler({ service: 'reviews', version: 'v1' }, upstreamOf('ratings', {}))],
  ];

  test.each(handlers)('%s: /health is 200, an id that is no number 400, any other path 404', async (name, handler) => {
    const url = await start(name, 'v1', handler);
    expect(await getJson(`${url}/health`)).toEqual({ status: 200, body: { status: `${name} v1 is healthy` } });
    expect(await getJson(`${url}/${name}/abc`)).toMatchObject({ status: 400 });
    expect(await getJson(`${url}/elsewhere`)).toMatchObject({ status: 404 });
  });

  test('refuses a body that is too long without reading on', async () => {
    const url = await start('details', 'v1', detailsHandler());
    const response = await fetch(`${url}/details/0`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect(response.status).toBe(413);
  });

  test('lets a running request finish when it is closed, and takes no new connection', async () => {
    const asked = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const service = await startService({ service: 'details', version: 'v1' }, 0, async () => {
      asked.resolve();
      await release.promise;
      return json(200, { finished: true });
    });
    const pending = getJson(`${service.url}/details/0`);
    await asked.promise;
    const closed = service.close();
    const refused = connect(service.port, '127.0.0.1');
    const [error] = await once(refused, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    release.resolve();
    expect(await pending).toEqual({ status: 200, body: { finished: true } });
    await closed;
  });
});

describe('as a process, a service', () => {
  const file = fileURLToPath(new URL('reviews.ts', import.meta.url));

  async function startProcess(args: readonly string[], env: Record<string, string>): Promise<{ child: Child; said: string }> {
    let said = '';
    const isReadyLine = (line: string): boolean => {
      said = line;
      return line.includes('listens on');
    };
    const child = new Child({ name: 'reviews', args: [file, ...args], cwd: tmpdir(), env: { ...process.env, ...env }, isReadyLine });
    await child.ready;
    return { child, said };
  }

  test.each<[string, string[], Record<string, string>]>([
    ['the environment', [], { PORT: '0', SERVICE_VERSION: 'v3', RATINGS_URL: 'http://127.0.0.1:1' }],
    ['flags', ['--port', '0', '--version', 'v3'], { PORT: '1', SERVICE_VERSION: 'v1', RATINGS_URL: 'http://127.0.0.1:1' }],
  ])('takes its port and version from %s, and ends with 0 on SIGTERM', async (_, args, env) => {
    const { child, said } = await startProcess(args, env);
    expect(said).toMatch(/^reviews v3 listens on http:\/\/127\.0\.0\.1:\d+$/);
    expect(await getJson(`${/http\S+/.exec(said)?.[0]}/reviews/0`)).toMatchObject({
      status: 200,
      body: { podname: expect.stringMatching(/^reviews-v3-/) },
    });
    await child.stop();
    expect(await child.ended).toBe('ended with exit code 0');
  });

  test('says what is wrong with a port', async () => {
    await expect(startProcess(['--port', 'http'], {})).rejects.toThrow(/exit code 2[\s\S]*expected a port from 0 to 65535, found "http"/);
  });

  test('says that its port is taken', async () => {
    const url = await start('details', 'v1', detailsHandler());
    await expect(startProcess(['--port', new URL(url).port], {})).rejects.toThrow(/exit code 1[\s\S]*EADDRINUSE/);
  });
});

describe('where a service is called', () => {
  test('by default at the mesh listener, named in Host', () => {
    expect(upstreamOf('reviews', {})).toEqual({ hostname: '127.0.0.1', port: 15001, authority: 'reviews' });
    expect(upstreamOf('reviews', { SERVICES_URL: 'http://127.0.0.1:9088' })).toEqual({
      hostname: '127.0.0.1',
      port: 9088,
      authority: 'reviews',
    });
  });

  test('at its own address where its URL is given', () => {
    const env = { SERVICES_URL: 'http://127.0.0.1:9088', REVIEWS_URL: 'http://127.0.0.1:9083' };
    expect(upstreamOf('reviews', env)).toEqual({ hostname: '127.0.0.1', port: 9083, authority: '127.0.0.1:9083' });
    expect(upstreamOf('details', env)).toMatchObject({ port: 9088, authority: 'details' });
  });
});
