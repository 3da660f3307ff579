/**
 * A few people reading the page: requests at random moments, so many a second on average, one in ten of them by jason. Never more than
 * MAX_UNDER_WAY at once: whoever finds as many before him does not come.
 */
import { Agent, get } from 'node:http';
import { FAILED } from './tally.ts';

export const DEFAULT_RATE_PER_S = 30;
/** A demo's: every page is four requests through Serin. */
export const MAX_RATE_PER_S = 100;

const MAX_UNDER_WAY = 50;
const JASON_SHARE = 0.1;
const TIMEOUT_MS = 10_000;

export type OnOutcome = (user: string | undefined, outcome: string) => void;

/**
 * @param ratePerS 0: nobody comes.
 * @returns a function that stops it and resolves when the last request is over
 */
export function startTraffic(pageUrl: string, ratePerS: number, onOutcome: OnOutcome): () => Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const running = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  const visit = async (): Promise<void> => {
    const user = Math.random() < JASON_SHARE ? 'jason' : undefined;
    onOutcome(user, await versionFor(pageUrl, user, agent));
  };
  const next = (): void => {
    // Exponential gaps: visitors do not know of each other.
    const gapMs = (-Math.log(1 - Math.random()) * 1000) / ratePerS;
    timer = setTimeout(() => {
      if (running.size < MAX_UNDER_WAY) {
        const visiting = visit().finally(() => running.delete(visiting));
        running.add(visiting);
      }
      next();
    }, gapMs);
  };
  if (ratePerS > 0) next();
  return async () => {
    clearTimeout(timer);
    await Promise.all(running);
    agent.destroy();
  };
}

/** Which version of reviews the page was made with: productpage says the process that answered it in a header. */
function versionFor(pageUrl: string, user: string | undefined, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    const headers = user === undefined ? {} : { cookie: `user=${user}` };
    const request = get(pageUrl, { agent, headers, signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
      const servedBy = response.headers['reviews-served-by'];
      const version = typeof servedBy === 'string' ? /^reviews-(v\d+)/.exec(servedBy)?.[1] : undefined;
      response.resume();
      response.once('error', () => resolve(FAILED));
      response.once('end', () => resolve(version ?? FAILED));
    });
    request.once('error', () => resolve(FAILED));
  });
}
