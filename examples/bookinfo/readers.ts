/**
 * People who read reviews, for the tutorial: fifty of them, by name, forty requests a second together, through Serin's mesh listener
 * ($SERVICES_URL). Prints who was answered by which version every few seconds, until it is ended.
 */
import { call, upstreamOf } from './call.ts';
import { FAILED, Tally } from './demo/tally.ts';

const READERS = 50;
const RATE_PER_S = 40;
/** Whoever finds as many requests under way does not come. */
const MAX_UNDER_WAY = 50;
const TIMEOUT_MS = 10_000;
const LINE_EVERY_MS = 2000;

const reviews = upstreamOf('reviews', process.env);
const tally = new Tally();
let underWay = 0;

setInterval(() => console.log(tally.line(performance.now())), LINE_EVERY_MS);
for (;;) {
  // Exponential gaps: readers do not know of each other.
  await new Promise((resolve) => setTimeout(resolve, (-Math.log(1 - Math.random()) * 1000) / RATE_PER_S));
  if (underWay < MAX_UNDER_WAY) void read();
}

async function read(): Promise<void> {
  underWay++;
  const outcome = await versionFor(`reader-${Math.floor(Math.random() * READERS)}`);
  underWay--;
  tally.record(performance.now(), undefined, outcome);
}

async function versionFor(user: string): Promise<string> {
  try {
    const { status, body } = await call(reviews, '/reviews/0', { 'end-user': user }, TIMEOUT_MS);
    const version = /"podname":"reviews-(?<version>v\d+)-/.exec(body)?.groups?.['version'];
    return status === 200 && version !== undefined ? version : FAILED;
  } catch {
    return FAILED;
  }
}
