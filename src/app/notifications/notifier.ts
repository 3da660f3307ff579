/** Tells receivers what happens (kind Notification): looks twice a second, and hands news over to one outbox a receiver. Nothing ever waits for it. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { systemRandom } from '../../base/random.ts';
import type { Notification } from '../../config/resources.ts';
import type { HostEnv } from '../../config/run-host.ts';
import { USUAL_EVENTS } from '../../config/serin/notification-spec.ts';
import type { Proxy } from '../../proxy/proxy.ts';
import type { Logger } from '../logger.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Rollouts } from '../rollouts/engine.ts';
import { type News, Newsroom } from './news.ts';
import { Outbox } from './outbox.ts';

const LOOK_MS = 500;

export interface NotifierDeps {
  readonly pipeline: Pick<Pipeline, 'inForce' | 'refused'>;
  readonly rollouts: Pick<Rollouts, 'list'>;
  readonly proxy: Pick<Proxy, 'outliers'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hostEnv: HostEnv;
}

export class Notifier {
  readonly #deps: NotifierDeps;
  readonly #newsroom: Newsroom;
  /** By `namespace/name`. */
  readonly #outboxes = new Map<string, Outbox>();
  readonly #counts = { sent: 0, dropped: 0 };
  readonly #timer: NodeJS.Timeout;

  /** Before releases go on: what they have decided earlier is no news. */
  constructor(deps: NotifierDeps) {
    this.#deps = deps;
    this.#newsroom = new Newsroom(deps.rollouts.list());
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  get counts(): { readonly sent: number; readonly dropped: number } {
    return this.#counts;
  }

  /** What is not sent yet is lost. */
  close(): void {
    clearInterval(this.#timer);
    for (const outbox of this.#outboxes.values()) outbox.close();
  }

  #look(): void {
    const { pipeline, rollouts, proxy, clock, logger } = this.#deps;
    try {
      const { effective, table } = pipeline.inForce;
      const { notifications } = effective;
      this.#keep(notifications);
      const news = this.#newsroom.look({
        rollouts: rollouts.list(),
        refused: pipeline.refused?.diagnostics,
        table,
        outliers: proxy.outliers,
        nowMs: clock.nowMs(),
      });
      for (const item of news) {
        for (const notification of notifications) {
          if (isFor(notification, item)) this.#outbox(notification).add({ id: randomUUID(), news: item });
        }
      }
    } catch (error) {
      logger.error({ err: error }, 'notifications could not be made');
    }
  }

  /** Receivers that are configured no more get nothing more. */
  #keep(notifications: readonly Notification[]): void {
    const names = new Set(notifications.map(nameOf));
    for (const [name, outbox] of this.#outboxes) {
      if (names.has(name)) continue;
      outbox.close();
      this.#outboxes.delete(name);
    }
    for (const notification of notifications) this.#outbox(notification).notification = notification;
  }

  #outbox(notification: Notification): Outbox {
    const name = nameOf(notification);
    const known = this.#outboxes.get(name);
    if (known !== undefined) return known;
    const { clock, logger, hostEnv } = this.#deps;
    const count = (result: 'sent' | 'dropped'): void => void this.#counts[result]++;
    const outbox = new Outbox(notification, { clock, logger, hostEnv, random: systemRandom(), count });
    this.#outboxes.set(name, outbox);
    return outbox;
  }
}

const nameOf = ({ metadata }: Notification): string => `${metadata.namespace}/${metadata.name}`;

function isFor({ metadata, spec }: Notification, { event, namespace }: News): boolean {
  const { events = USUAL_EVENTS, namespaces = [metadata.namespace] } = spec;
  return events.includes(event) && (namespace === undefined || namespaces.includes('*') || namespaces.includes(namespace));
}
