/** productpage over real sockets, with stand-ins for the services it calls: what it shows, what it passes on, and who the user is. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { upstreamOf } from './call.ts';
import { detailsHandler } from './details.ts';
import { productpageHandler } from './productpage.ts';
import { ratingsHandler } from './ratings.ts';
import { json, startService, type Handler, type RunningService, type ServiceRequest } from './service.ts';
import type { ServiceName } from './workloads.ts';

const running: RunningService[] = [];
let seen: ServiceRequest[] = [];

beforeEach(() => {
  seen = [];
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.close()));
});

async function start(service: ServiceName, handler: Handler): Promise<string> {
  const started = await startService({ service, version: 'v1' }, 0, handler);
  running.push(started);
  return started.url;
}

/** A productpage whose reviews are answered by `reviews`; every request that reaches those is put in `seen`. */
async function startPage(reviews: Handler, detailsUrl?: string, callTimeoutMs?: number): Promise<string> {
  const env = {
    REVIEWS_URL: await start('reviews', (request) => {
      seen.push(request);
      return reviews(request);
    }),
    RATINGS_URL: await start('ratings', ratingsHandler()),
    DETAILS_URL: detailsUrl ?? (await start('details', detailsHandler())),
  };
  const upstreams = { reviews: upstreamOf('reviews', env), ratings: upstreamOf('ratings', env), details: upstreamOf('details', env) };
  return start('productpage', productpageHandler(upstreams, callTimeoutMs));
}

const rated =
  (color: string): Handler =>
  () =>
    json(200, {
      id: '0',
      podname: 'reviews-v2-1',
      clustername: 'local',
      reviews: [{ reviewer: 'Reviewer1', text: 'Fine.', rating: { stars: 4, color } }],
    });
const plain: Handler = () =>
  json(200, { id: '0', podname: 'reviews-v1-1', clustername: 'local', reviews: [{ reviewer: 'Reviewer1', text: 'Fine.' }] });

const post = (url: string, username: string): Promise<Response> =>
  fetch(url, { method: 'POST', body: new URLSearchParams({ username }), redirect: 'manual' });

const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;

describe('the page', () => {
  test('shows the book, the reviews, and which version answered', async () => {
    const response = await fetch(`${await startPage(plain)}/productpage`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('reviews-served-by')).toBe('reviews-v1-1');
    const page = await response.text();
    expect(page).toMatch(/<h1>The Comedy of Errors<\/h1>/);
    expect(page).toContain('William Shakespeare');
    expect(page).toContain('Fine.');
    expect(page).toContain('data-version="v1"');
    expect(count(page, /class="star/g)).toBe(0);
  });

  test.each(['black', 'red'])('draws the stars in %s, as many as there are', async (color) => {
    const page = await (await fetch(`${await startPage(rated(color))}/productpage`)).text();
    expect(page).toContain(`class="stars ${color}"`);
    expect(count(page, /class="star"/g)).toBe(4);
    expect(count(page, /class="star empty"/g)).toBe(1);
  });

  test('says so in place of the stars where a rating failed', async () => {
    const reviews = [{ reviewer: 'Reviewer1', text: 'Fine.', rating: { error: 'no ratings <today>' } }];
    const page = await (await fetch(`${await startPage(() => json(200, { podname: 'reviews-v2-1', reviews }))}/productpage`)).text();
    expect(page).toContain('no ratings &lt;today&gt;');
    expect(page).toContain('Fine.');
  });

  test.each<[string, Handler]>([
    ['fail', () => json(503, {})],
    ['are not JSON', () => ({ status: 200, headers: {}, body: 'oh no' })],
    ['have another shape', () => json(200, [])],
  ])('is served without reviews when they %s', async (_, handler) => {
    const response = await fetch(`${await startPage(handler)}/productpage`);
    expect(response.status).toBe(200);
    expect(response.headers.get('reviews-served-by')).toBeNull();
    const page = await response.text();
    expect(page).toMatch(/role="alert">\s*<strong>No reviews/);
    expect(page).toContain('Sorry, nobody can tell us what readers think of this book just now');
    expect(page).toContain('William Shakespeare');
  });

  test('asks once more when the reviews take too long, and then gives up', async () => {
    const held = Promise.withResolvers<void>();
    const slow: Handler = async (request) => {
      await held.promise;
      return plain(request);
    };
    const slowOnce: Handler = (request) => (seen.length === 1 ? slow(request) : plain(request));
    const lucky = await (await fetch(`${await startPage(slowOnce, undefined, 200)}/productpage`)).text();
    expect(lucky).toContain('Fine.');
    seen = [];
    const unlucky = await (await fetch(`${await startPage(slow, undefined, 200)}/productpage`)).text();
    held.resolve();
    expect(unlucky).toContain('just now: it took too long to answer.');
    expect(seen).toHaveLength(2);
  });

  test('is served without details when nobody answers for them', async () => {
    const page = await (await fetch(`${await startPage(plain, 'http://127.0.0.1:1')}/productpage`)).text();
    expect(page).toContain('Sorry, we cannot say more about this book just now: it cannot be reached.');
    expect(page).toContain('Fine.');
  });

  test('shows whatever a service says as text, never as markup', async () => {
    const evil = `"'><img src=x onerror=alert(1)><script>alert(1)</script>`;
    const reviews = [{ reviewer: evil, text: evil, rating: { stars: 9e9, color: evil } }];
    const details = await start('details', () => json(200, { author: evil, publisher: evil }));
    const page = await (
      await fetch(`${await startPage(() => json(200, { podname: `reviews-v1"${evil}`, reviews }), details)}/productpage`)
    ).text();
    expect(page).not.toContain('<img');
    expect(page).not.toContain('<script>');
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;');
  });

  test('needs no other host: every address in it is relative, and the policy allows nothing else', async () => {
    const url = await startPage(rated('red'));
    const response = await fetch(`${url}/productpage`);
    const page = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    const addresses = [...page.matchAll(/(?:src|href|action)="([^"]*)"/g)].map(([, address]) => address ?? '');
    const files = addresses.filter((address) => address.startsWith('static/'));
    expect(files).toHaveLength(3);
    for (const file of files) expect((await fetch(`${url}/${file}`)).status).toBe(200);
    for (const address of addresses) expect(address).not.toMatch(/^(?:\w+:|\/\/)/);
    const style = await (await fetch(`${url}/static/page.css`)).text();
    expect(style).not.toMatch(/url\(|@import/);
  });

  test('says what it has to offer where there is nothing', async () => {
    const url = await startPage(plain);
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/static/../productpage.ts`)).status).toBe(404);
    expect((await fetch(`${url}/productpage`, { method: 'DELETE' })).status).toBe(405);
    expect((await fetch(url, { redirect: 'manual' })).headers.get('location')).toBe('productpage');
  });
});

describe('the user', () => {
  test('signs in, is named on the page and to the reviews, and signs out', async () => {
    const url = await startPage(plain);
    const signedIn = await post(`${url}/login`, 'jason');
    expect(signedIn.status).toBe(303);
    expect(signedIn.headers.get('location')).toBe('productpage');
    const setCookie = signedIn.headers.get('set-cookie') ?? '';
    expect(setCookie).toMatch(/^user=jason; .*HttpOnly/);

    const cookie = setCookie.split(';', 1)[0] ?? '';
    const page = await (await fetch(`${url}/productpage`, { headers: { cookie: `other=1; ${cookie}` } })).text();
    expect(page).toContain('Signed in as <strong data-user>jason</strong>');
    expect(seen.at(-1)?.headers['end-user']).toBe('jason');

    const signedOut = await fetch(`${url}/logout`, { method: 'POST', redirect: 'manual' });
    expect(signedOut.headers.get('set-cookie')).toMatch(/^user=; .*Max-Age=0/);
    await fetch(`${url}/productpage`);
    expect(seen.at(-1)?.headers).not.toHaveProperty('end-user');
  });

  test.each(['', '   ', 'a b', 'a\r\nx: y', 'jäson', 'a;b', 'x'.repeat(65)])('is not signed in as %j', async (name) => {
    const response = await post(`${await startPage(plain)}/login`, name);
    expect(response.status).toBe(400);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(await response.text()).toContain('A user name has 1 to 64');
  });

  test('of a caller stays where nobody is signed in, and gives way where somebody is', async () => {
    const url = await startPage(plain);
    await fetch(`${url}/productpage`, { headers: { 'end-user': 'jason' } });
    expect(seen.at(-1)?.headers['end-user']).toBe('jason');
    await fetch(`${url}/productpage`, { headers: { 'end-user': 'jason', cookie: 'user=ann' } });
    expect(seen.at(-1)?.headers['end-user']).toBe('ann');
  });

  test('and the trace go on to the reviews, but no cookie does', async () => {
    const trace = { 'x-request-id': 'r-1', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, b3: '1-2-1' };
    await fetch(`${await startPage(plain)}/productpage`, { headers: { ...trace, cookie: 'user=jason' } });
    expect(seen[0]?.headers).toMatchObject({ ...trace, 'end-user': 'jason' });
    expect(seen[0]?.headers).not.toHaveProperty('cookie');
  });
});

describe('the API', () => {
  test('lists the products and passes on what the services say', async () => {
    const url = await startPage(rated('black'));
    const get = async (path: string): Promise<unknown> => (await fetch(`${url}${path}`)).json();
    expect(await get('/api/v1/products')).toEqual([
      { id: 0, title: 'The Comedy of Errors', descriptionHtml: expect.stringMatching(/^<p>/) },
    ]);
    expect(await get('/api/v1/products/0')).toMatchObject({ id: 0, author: 'William Shakespeare' });
    expect(await get('/api/v1/products/0/reviews')).toMatchObject({ id: '0', reviews: [{ rating: { stars: 4, color: 'black' } }] });
    expect(await get('/api/v1/products/0/ratings')).toEqual({ id: 0, ratings: { Reviewer1: 5, Reviewer2: 4 } });
  });

  test('passes on a failure with its status, and says 502 where there is no answer', async () => {
    const url = await startPage(() => json(503, {}), 'http://127.0.0.1:1');
    const reviews = await fetch(`${url}/api/v1/products/0/reviews`);
    expect(reviews.status).toBe(503);
    expect(await reviews.json()).toHaveProperty('error');
    expect((await fetch(`${url}/api/v1/products/0`)).status).toBe(502);
    expect((await fetch(`${url}/api/v1/products/1`)).status).toBe(404);
    expect((await fetch(`${url}/api/v1/products/0/prices`)).status).toBe(404);
  });
});
