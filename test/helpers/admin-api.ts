/** The admin API of a daemon under test: quicker than a process a question. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
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

const WithMessage = z.object({ status: z.object({ phase: z.string(), message: z.string() }) });

/** Until `PHASE MESSAGE` of default/reviews is so; the test's own time limit ends it otherwise. */
export async function untilReviews(daemon: SerinProcess, state: string, pattern: RegExp): Promise<void> {
  for (;;) {
    const { json } = await askAdmin(daemon, state, { path: 'rollouts/default/reviews' });
    const { phase, message } = WithMessage.parse(json).status;
    if (pattern.test(`${phase} ${message}`)) return;
    await sleep(50);
  }
}
