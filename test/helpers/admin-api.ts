/** The admin API of a daemon under test: quicker than a process a question. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFailed } from 'vitest';
import { z } from 'zod';
import type { SerinProcess } from './serin-process.ts';

export interface AdminAsked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** Under /api/v1/. */
  readonly path: string;
  readonly body?: object;
  /** Default: the one of the state directory. */
  readonly token?: string;
}

export interface AdminAnswer {
  readonly status: number;
  readonly json: unknown;
}

export async function askAdmin(daemon: SerinProcess, state: string, { method, path, body, token }: AdminAsked): Promise<AdminAnswer> {
  const { host, port } = daemon.address('admin');
  const shown = token ?? readFileSync(join(state, 'token'), 'utf8').trim();
  const response = await fetch(`http://${host}:${port}/api/v1/${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { authorization: `Bearer ${shown}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: await response.json() };
}

/** The status of a Rollout in the namespace default as it is at the moment, whether that is in force yet or not. */
export async function rolloutStatus<Status>(
  daemon: SerinProcess,
  state: string,
  schema: z.ZodType<Status>,
  name = 'reviews',
): Promise<Status> {
  const { json } = await askAdmin(daemon, state, { path: `rollouts/default/${name}` });
  return z.object({ status: schema }).parse(json).status;
}

const WithConditions = z.looseObject({ conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })) });

const isInForce = (status: unknown): boolean =>
  WithConditions.parse(status).conditions.some((condition) => condition.type === 'InForce' && condition.status === 'True');

/**
 * Asks until the status of a Rollout is so, and in force: every request that is sent from then on meets the shares it names. The test's own time limit ends it
 * otherwise; then the last status is printed.
 */
export async function untilRollout<Status>(
  daemon: SerinProcess,
  state: string,
  schema: z.ZodType<Status>,
  holds: (status: Status) => boolean,
  name?: string,
): Promise<Status> {
  let last: unknown;
  let isOver = false;
  onTestFailed(() => {
    if (!isOver) console.error('a release was waited for in vain; its last status:', JSON.stringify(last, undefined, 2));
  });
  for (;;) {
    last = await rolloutStatus(daemon, state, z.unknown(), name);
    const found = schema.parse(last);
    isOver = holds(found) && isInForce(last);
    if (isOver) return found;
    await sleep(50);
  }
}

const Told = z.looseObject({ phase: z.string(), message: z.string() });

/** Until `PHASE MESSAGE` of default/reviews is so, and in force. */
export async function untilReviews(daemon: SerinProcess, state: string, pattern: RegExp): Promise<void> {
  await untilRollout(daemon, state, Told, ({ phase, message }) => pattern.test(`${phase} ${message}`));
}
