/** A topic whose events come from elsewhere; what was before is nobody's concern here. */
import type { EventSource } from '../../admin/events.ts';
import type { Message } from '../../admin/event-stream.ts';

export class Feed implements EventSource {
  #emit: Parameters<EventSource['open']>[0] | undefined;

  open(emit: Parameters<EventSource['open']>[0]): void {
    this.#emit = emit;
  }

  close(): void {
    this.#emit = undefined;
  }

  greeting(): Iterable<Message> {
    return [];
  }

  /** Costs nothing while nobody watches. */
  publish(event: string, data: object): void {
    this.#emit?.({ event, data: JSON.stringify(data) });
  }
}
