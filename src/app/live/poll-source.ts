/** A topic whose state is looked at several times a second while somebody watches; what has changed is told. */
import type { EventSource } from '../../admin/events.ts';
import type { Message } from '../../admin/event-stream.ts';
import type { Logger } from '../logger.ts';

export type Emit = Parameters<EventSource['open']>[0];

/** What is looked at. */
export interface Looker {
  /** All there is; what `look` tells later is against this. */
  all(): Iterable<Message>;
  look(emit: Emit): void;
}

export class PollSource implements EventSource {
  readonly #looker: Looker;
  readonly #everyMs: number;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;

  constructor(looker: Looker, everyMs: number, logger: Logger) {
    this.#looker = looker;
    this.#everyMs = everyMs;
    this.#logger = logger;
  }

  open(emit: Emit): void {
    this.#timer = setInterval(() => {
      try {
        this.#looker.look(emit);
      } catch (error) {
        this.#logger.error({ err: error }, 'what has changed could not be looked at; those who watch it are told later');
      }
    }, this.#everyMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  greeting(): Iterable<Message> {
    return this.#looker.all();
  }
}
