/**
 * `reviews`: what people say of the book. `GET /reviews/0`.
 *
 * One program, four versions: v1 knows no stars; v2 asks `ratings` and shows them in black; v3 shows them in red; v4 is v3 with a fault: one
 * request in five fails. Where `ratings` fails, the reviews are still served, each with `rating: { error }`.
 * `$THINK_MS` is how long each answer takes beside that, as if the reviews were in a database; 0 unless told otherwise.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { REVIEWS } from './book.ts';
import { call, passedOn, upstreamOf, type Upstream } from './call.ts';
import { idIn, json, podName, runService, type Handler, type Identity } from './service.ts';

type Rating = { readonly stars: number; readonly color: string } | { readonly error: string };

/** How a version shows ratings; absent where it does not. */
interface Style {
  readonly color: string;
  /**
   * How long it waits for `ratings`. Istio's sample has the same two values: v2's is longer than productpage waits for the reviews themselves,
   * a mistake that delaying `ratings` brings to light, and that v3 has mended.
   */
  readonly ratingsTimeoutMs: number;
  /** 0 to 1: how many of its requests it fails. */
  readonly failureRatio?: number;
}

const STYLES: Readonly<Record<string, Style>> = {
  v2: { color: 'black', ratingsTimeoutMs: 10_000 },
  v3: { color: 'red', ratingsTimeoutMs: 2500 },
  v4: { color: 'red', ratingsTimeoutMs: 2500, failureRatio: 0.2 },
};

/** @param thinkMs See $THINK_MS. */
export function reviewsHandler(identity: Identity, ratings: Upstream, thinkMs = 0): Handler {
  const style = STYLES[identity.version];
  return async ({ path, headers }) => {
    const id = idIn(path, 'reviews');
    if (id === undefined) return json(404, { error: 'try /reviews/0' });
    if (id === null) return json(400, { error: 'the id of a product is a number' });
    if (thinkMs > 0) await sleep(thinkMs);
    if (Math.random() < (style?.failureRatio ?? 0)) return json(500, { error: 'this version has a fault: it fails one request in five' });
    const rate = style === undefined ? undefined : await rater(style, ratings, id, passedOn(headers));
    const reviews = REVIEWS.map((review) => ({ reviewer: review.reviewer, text: review.text, rating: rate?.(review.reviewer) }));
    return json(200, { id, podname: podName(identity), clustername: 'local', reviews });
  };
}

/** Asks `ratings` once and gives a function from a reviewer to the rating to show. */
async function rater(style: Style, ratings: Upstream, id: string, headers: Record<string, string>): Promise<(reviewer: string) => Rating> {
  try {
    const { status, body } = await call(ratings, `/ratings/${id}`, headers, style.ratingsTimeoutMs);
    if (status === 200) {
      const stars = starsIn(JSON.parse(body));
      return (reviewer) => ({ stars: stars.get(reviewer) ?? 0, color: style.color });
    }
    console.error(`ratings answered ${status}`);
  } catch (error) {
    console.error(`no ratings: ${error instanceof Error ? error.message : String(error)}`);
  }
  return () => ({ error: 'The ratings are unavailable at the moment.' });
}

function starsIn(answer: unknown): ReadonlyMap<string, number> {
  const ratings = typeof answer === 'object' && answer !== null && 'ratings' in answer ? answer.ratings : undefined;
  if (typeof ratings !== 'object' || ratings === null) throw new Error('expected {"ratings":{reviewer:stars}} from ratings');
  return new Map(Object.entries(ratings).filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}

if (import.meta.main) {
  await runService('reviews', ({ identity, env }) => reviewsHandler(identity, upstreamOf('ratings', env), Number(env['THINK_MS'] ?? 0)));
}
