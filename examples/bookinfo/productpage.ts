/**
 * `productpage`: the page people look at, and the same as JSON.
 *
 *     GET  /productpage                       the page
 *     POST /login   username=jason            signs in: from then on every call made for this user carries `end-user: jason`
 *     POST /logout
 *     GET  /api/v1/products                   and .../0, .../0/reviews, .../0/ratings
 *     GET  /static/...                        style, script, icon
 *
 * Signing in proves nothing: there is no password, so the cookie is plain. It exists to have users to route by.
 */
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { PRODUCT } from './book.ts';
import { call, CallError, passedOn, upstreamOf, type Reply, type Upstream } from './call.ts';
import { renderPage, type Found, type Review, type Reviews } from './page.ts';
import { json, runService, type Answer, type Handler, type ServiceRequest } from './service.ts';

export interface Upstreams {
  readonly reviews: Upstream;
  readonly ratings: Upstream;
  readonly details: Upstream;
}

/**
 * How long productpage waits for an answer, and how often it asks when none comes in time. Together 6 s for the reviews, as in Istio's sample,
 * whose reviews v2 may wait 10 s for ratings: delay ratings by 7 s to see a page fail before anything has.
 */
const CALL_TIMEOUT_MS = 3000;
const CALL_ATTEMPTS = 2;

const PRODUCTS = '/api/v1/products';

/** Asks a service about the product; any status is an answer. Throws CallError where there is none. */
type Ask = (service: keyof Upstreams, headers: Headers) => Promise<Reply>;
type Headers = Readonly<Record<string, string>>;

const USER_COOKIE = 'user';
/** What is sent on as a header, so: visible ASCII without separators. */
const USER_NAME = /^[\w.@+-]{1,64}$/;

/** Tells which reviews process a page was made with; for programs that watch, like the demo's traffic. */
const SERVED_BY = 'reviews-served-by';

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/** @param callTimeoutMs Of each attempt of each call; see CALL_TIMEOUT_MS. */
export function productpageHandler(upstreams: Upstreams, callTimeoutMs = CALL_TIMEOUT_MS): Handler {
  const ask: Ask = (service, headers) => askTwice(upstreams[service], `/${service}/${PRODUCT.id}`, headers, callTimeoutMs);
  const files = staticFiles();
  return async (request) => {
    const { method, path } = request;
    if (path === '/login') return method === 'POST' ? signIn(ask, request) : seeProductPage({});
    if (path === '/logout') return seeProductPage({ 'set-cookie': `${USER_COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax` });
    if (method !== 'GET' && method !== 'HEAD') return json(405, { error: `${method} is not for ${path}` });
    if (path === '/') return seeProductPage({});
    if (path === '/productpage') return page(ask, request);
    if (path === PRODUCTS || path.startsWith(`${PRODUCTS}/`)) return api(ask, request);
    return files.get(path) ?? json(404, { error: 'try /productpage' });
  };
}

function staticFiles(): ReadonlyMap<string, Answer> {
  const types = { 'page.css': 'text/css', 'live.js': 'text/javascript', 'icon.svg': 'image/svg+xml' };
  return new Map(
    Object.entries(types).map(([name, type]) => {
      const body = readFileSync(new URL(`static/${name}`, import.meta.url), 'utf8');
      return [`/static/${name}`, { status: 200, headers: { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-cache' }, body }];
    }),
  );
}

// --- the user -------------------------------------------------------------------------------------------------------------------------

function seeProductPage(headers: Headers): Answer {
  return { status: 303, headers: { location: 'productpage', ...headers }, body: '' };
}

async function signIn(ask: Ask, request: ServiceRequest): Promise<Answer> {
  const user = (new URLSearchParams(request.body).get('username') ?? '').trim();
  if (USER_NAME.test(user)) return seeProductPage({ 'set-cookie': `${USER_COOKIE}=${user}; Path=/; HttpOnly; SameSite=Lax` });
  const shown = await page(ask, request, 'A user name has 1 to 64 letters, digits, or any of . _ @ + -');
  return { ...shown, status: 400 };
}

function userOf(headers: IncomingHttpHeaders): string | undefined {
  const cookie = (headers.cookie ?? '').split(';').find((pair) => pair.trim().startsWith(`${USER_COOKIE}=`));
  const user = cookie?.slice(cookie.indexOf('=') + 1).trim();
  return user !== undefined && USER_NAME.test(user) ? user : undefined;
}

/** Whoever is signed in here is the user; where nobody is, a user named by the caller stays. */
function headersFor({ headers }: ServiceRequest): Record<string, string> {
  const user = userOf(headers);
  return user === undefined ? passedOn(headers) : { ...passedOn(headers), 'end-user': user };
}

// --- the page ---------------------------------------------------------------------------------------------------------------------------

async function page(ask: Ask, request: ServiceRequest, signInProblem?: string): Promise<Answer> {
  const headers = headersFor(request);
  const [details, reviews] = await Promise.all([
    find(ask, 'details', headers, 'Sorry, we cannot say more about this book just now', detailsIn),
    find(ask, 'reviews', headers, 'Sorry, nobody can tell us what readers think of this book just now', reviewsIn),
  ]);
  const user = userOf(request.headers);
  const problem = signInProblem === undefined ? {} : { signInProblem };
  const body = renderPage({ title: PRODUCT.title, summary: PRODUCT.summary, user, details, reviews, ...problem });
  const servedBy: Headers = 'value' in reviews ? { [SERVED_BY]: reviews.value.podname } : {};
  return { status: 200, headers: { ...PAGE_HEADERS, ...servedBy }, body };
}

/** Asks, reads the answer with `read`, and turns whatever goes wrong into `sorry` with the reason. */
async function find<T>(
  ask: Ask,
  service: keyof Upstreams,
  headers: Headers,
  sorry: string,
  read: (answer: object) => T,
): Promise<Found<T>> {
  try {
    const { status, body } = await ask(service, headers);
    if (status !== 200) return { error: `${sorry}: the service answered ${status}.` };
    const answer: unknown = JSON.parse(body);
    if (typeof answer !== 'object' || answer === null) throw new Error('expected a JSON object');
    return { value: read(answer) };
  } catch (error) {
    console.error(`productpage: ${service}: ${messageOf(error)}`);
    return { error: `${sorry}: ${reasonOf(error)}.` };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof CallError)) return 'its answer makes no sense';
  return error.isTimeout ? 'it took too long to answer' : 'it cannot be reached';
}

function detailsIn(answer: object): Readonly<Record<string, string | number>> {
  return Object.fromEntries(Object.entries(answer).filter(isTextOrNumber));
}

function isTextOrNumber(entry: [string, unknown]): entry is [string, string | number] {
  return typeof entry[1] === 'string' || typeof entry[1] === 'number';
}

function reviewsIn(answer: object): Reviews {
  if (!('reviews' in answer && Array.isArray(answer.reviews))) throw new Error('expected {"reviews":[...]}');
  const podname = 'podname' in answer && typeof answer.podname === 'string' ? answer.podname : '';
  const version = /^reviews-(v\d+)\b/.exec(podname)?.[1] ?? 'unknown';
  return { podname, version, reviews: answer.reviews.filter(isReview) };
}

function isReview(value: unknown): value is Review {
  if (typeof value !== 'object' || value === null) return false;
  if (!('reviewer' in value && typeof value.reviewer === 'string' && 'text' in value && typeof value.text === 'string')) return false;
  if (!('rating' in value)) return true;
  const rating = value.rating;
  if (typeof rating !== 'object' || rating === null) return false;
  if ('error' in rating) return typeof rating.error === 'string';
  return 'stars' in rating && typeof rating.stars === 'number' && 'color' in rating && typeof rating.color === 'string';
}

/** Asks once more where no answer came in time; an answer, whatever its status, is passed on as it is, so that what a version does shows. */
async function askTwice(upstream: Upstream, path: string, headers: Headers, timeoutMs: number): Promise<Reply> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call(upstream, path, headers, timeoutMs);
    } catch (error) {
      if (attempt === CALL_ATTEMPTS || !(error instanceof CallError && error.isTimeout)) throw error;
    }
  }
}

// --- the same as JSON ---------------------------------------------------------------------------------------------------------------------

async function api(ask: Ask, request: ServiceRequest): Promise<Answer> {
  if (request.path === PRODUCTS) return json(200, [{ id: PRODUCT.id, title: PRODUCT.title, descriptionHtml: PRODUCT.descriptionHtml }]);
  const headers = headersFor(request);
  const product = `${PRODUCTS}/${PRODUCT.id}`;
  if (request.path === product) return pass(ask, 'details', headers);
  if (request.path === `${product}/reviews`) return pass(ask, 'reviews', headers);
  if (request.path === `${product}/ratings`) return pass(ask, 'ratings', headers);
  return json(404, { error: `try ${product}, ${product}/reviews or ${product}/ratings` });
}

async function pass(ask: Ask, service: keyof Upstreams, headers: Headers): Promise<Answer> {
  try {
    const { status, body } = await ask(service, headers);
    if (status !== 200) return json(status, { error: `${service} answered ${status}` });
    return { status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body };
  } catch (error) {
    return json(error instanceof CallError && error.isTimeout ? 504 : 502, { error: messageOf(error) });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

if (import.meta.main) {
  await runService('productpage', ({ env }) =>
    productpageHandler({ reviews: upstreamOf('reviews', env), ratings: upstreamOf('ratings', env), details: upstreamOf('details', env) }),
  );
}
