/**
 * News on its way to one receiver: in order, one request after the other, tried again with growing pauses, given up in the end. Bounded, in memory: a
 * receiver that is gone costs nothing but its own news, which are lost when Serin ends.
 */
import { createHmac } from 'node:crypto';
import { parseDuration } from '../../base/duration.ts';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Notification } from '../../config/resources.ts';
import type { HostEnv } from '../../config/run-host.ts';
import type { Logger } from '../logger.ts';
import { call, CallError } from '../rollouts/checks/http-call.ts';
import { headersOf, secretOf } from '../rollouts/checks/secrets.ts';
import { bodyOf } from './letter.ts';
import type { News } from './news.ts';

const MAX_WAITING = 256;
const MAX_ATTEMPTS = 12;
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 300_000;
const TIMEOUT_MS = 10_000;
/** Answers that say to come again; other 4xx say that it will never do. */
const AGAIN = new Set([408, 425, 429]);

export interface OutboxDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly hostEnv: HostEnv;
  /** What has become of an item. */
  readonly count: (result: 'sent' | 'dropped') => void;
}

interface Letter {
  readonly id: string;
  readonly news: News;
}

export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #waiting: Letter[] = [];
  readonly #abort = new AbortController();
  /** As it is in force: an address that is corrected is used by the next attempt. */
  notification: Notification;
  #isSending = false;
  /** The end of a pause that is still on. */
  #wake: (() => void) | undefined;

  constructor(notification: Notification, deps: OutboxDeps) {
    this.notification = notification;
    this.#deps = deps;
  }

  /** Returns at once. */
  add(letter: Letter): void {
    if (this.#waiting.length >= MAX_WAITING) {
      // The one that is being sent stays.
      const [dropped] = this.#waiting.splice(1, 1);
      if (dropped !== undefined) this.#giveUp(dropped, `${MAX_WAITING} are waiting`);
    }
    this.#waiting.push(letter);
    if (!this.#isSending) void this.#sendAll();
  }

  close(): void {
    this.#abort.abort();
    this.#wake?.();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    for (let letter = this.#waiting[0]; letter !== undefined; letter = this.#waiting[0]) {
      await this.#deliver(letter);
      if (this.#abort.signal.aborted) return;
      this.#waiting.splice(this.#waiting.indexOf(letter), 1);
    }
    this.#isSending = false;
  }

  async #deliver(letter: Letter): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const failure = await this.#attempt(letter);
      if (this.#abort.signal.aborted) return;
      if (failure === undefined) return this.#deps.count('sent');
      const { name, namespace } = this.notification.metadata;
      if (failure.isFinal || attempt >= MAX_ATTEMPTS) return this.#giveUp(letter, failure.message);
      if (attempt === 1)
        this.#deps.logger.warn(
          { notification: `${namespace}/${name}`, event: letter.news.event },
          `notification is tried again: ${failure.message}`,
        );
      await this.#pause(Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1)) * (0.5 + this.#deps.random() / 2));
    }
  }

  #giveUp({ news }: Letter, why: string): void {
    const { name, namespace } = this.notification.metadata;
    this.#deps.count('dropped');
    this.#deps.logger.error(
      { notification: `${namespace}/${name}`, event: news.event, about: news.name },
      `notification is given up: ${why}`,
    );
  }

  /** Undefined: it was taken. */
  async #attempt({ id, news }: Letter): Promise<{ readonly message: string; readonly isFinal: boolean } | undefined> {
    const { spec, origin } = this.notification;
    const source = { hostEnv: this.#deps.hostEnv, file: origin.file };
    try {
      const body = bodyOf(spec.format, news, id);
      const seconds = Math.floor(this.#deps.clock.nowMs() / 1000);
      const secret = spec.secret === undefined ? undefined : secretOf(spec.secret, source);
      const { status } = await call({
        url: secretOf(spec.url, source).trim(),
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'idempotency-key': id,
          ...(secret === undefined
            ? {}
            : { 'x-serin-signature': `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}` }),
          ...headersOf(spec, source),
        },
        body,
        timeoutMs: (spec.timeout === undefined ? undefined : parseDuration(spec.timeout)) ?? TIMEOUT_MS,
        signal: this.#abort.signal,
      });
      if (status >= 200 && status < 300) return undefined;
      const isFinal = status < 500 && !AGAIN.has(status);
      return { message: `the receiver answered ${status}${status >= 300 && status < 400 ? '; redirects are not followed' : ''}`, isFinal };
    } catch (error) {
      // A variable or file that is missing can be put right as well as a network.
      return { message: error instanceof CallError || error instanceof Error ? error.message : String(error), isFinal: false };
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
