/**
 * Who watches what (GET /api/v1/events), and everybody's bounds.
 *
 * An event is written out once, whoever watches. A topic's source works only while somebody watches it. A stream ends within a second of the moment in which what its
 * reader identified with is good no more; `recheck` ends it at once.
 */
import type { ServerResponse } from 'node:http';
import type { Caller } from './access.ts';
import { EventStream, frame, type Message } from './event-stream.ts';
import type { Topic } from './live-types.ts';
import { ProblemError } from './problem.ts';
import { SECURITY_HEADERS } from './security-headers.ts';
import type { Sessions } from './sessions.ts';

export const MAX_STREAMS = 100;
const PING_MS = 10_000;
const RECHECK_MS = 1000;

/** What there is to be seen of a topic. */
export interface EventSource {
  /** Somebody watches from now on. @param emit Tells everybody who does. */
  open(emit: (message: { readonly event: string; readonly data: string }) => void): void;
  /** What somebody who has just come is told, after `open`. */
  greeting(): Iterable<Message>;
  /** Nobody watches any more. */
  close(): void;
}

export type EventSources = Readonly<Record<Topic, EventSource>>;

interface Watcher {
  readonly stream: EventStream;
  readonly caller: Caller;
  readonly topics: ReadonlySet<Topic>;
}

export class EventHub {
  readonly #sources: EventSources;
  readonly #sessions: Pick<Sessions, 'isGood'>;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #watchers = new Set<Watcher>();
  #ping: NodeJS.Timeout | undefined;
  #recheck: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param version Of this Serin. */
  constructor(sources: EventSources, sessions: Pick<Sessions, 'isGood'>, version: string) {
    this.#sources = sources;
    this.#sessions = sessions;
    this.#headers = { ...SECURITY_HEADERS, 'serin-version': version };
  }

  /** @throws ProblemError 429 when there are too many, 503 when no more are taken */
  requireRoom(): void {
    if (this.#isClosed) throw new ProblemError(503, 'E_SHUTTING_DOWN', 'Serin is shutting down', { headers: { 'retry-after': '5' } });
    if (this.#watchers.size < MAX_STREAMS) return;
    throw new ProblemError(429, 'E_ADMIN_TOO_MANY_STREAMS', `${MAX_STREAMS} streams of events and logs are open already`, {
      hint: 'close some: every page of the dashboard and every -w, top and logs -f is one',
      headers: { 'retry-after': '5' },
    });
  }

  /** From here on the response is a stream of events. @throws ProblemError as `requireRoom`; then nothing is written */
  watch(response: ServerResponse, caller: Caller, topics: ReadonlySet<Topic>): void {
    this.#open(response, caller, topics, () => this.#greeting(topics));
  }

  /**
   * The same for a source of its own.
   *
   * @throws ProblemError as `requireRoom`; then nothing is written
   */
  watchAlone(response: ServerResponse, caller: Caller, source: EventSource): void {
    const watcher = this.#open(
      response,
      caller,
      new Set(),
      () => source.greeting(),
      () => source.close(),
    );
    source.open(({ event, data }) => watcher.stream.send(frame(event, data)));
  }

  /** Ends the streams of those whose token or session is good no more. */
  recheck(): void {
    for (const { stream, caller } of this.#watchers) if (!this.#sessions.isGood(caller)) stream.end();
  }

  /** Ends all streams and takes no more. */
  close(): void {
    this.#isClosed = true;
    for (const { stream } of this.#watchers) stream.end();
  }

  #open(
    response: ServerResponse,
    caller: Caller,
    topics: ReadonlySet<Topic>,
    greeting: () => Iterable<Message>,
    onClose: () => void = () => undefined,
  ): Watcher {
    this.requireRoom();
    response.writeHead(200, { ...this.#headers, 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
    response.flushHeaders();
    for (const topic of topics) if (!this.#isWatched(topic)) this.#sources[topic].open((message) => this.#emit(topic, message));
    const stream = new EventStream(response, greeting, () => {
      this.#left(watcher);
      onClose();
    });
    const watcher: Watcher = { stream, caller, topics };
    this.#watchers.add(watcher);
    this.#ping ??= setInterval(() => this.#watchers.forEach((each) => each.stream.ping()), PING_MS);
    this.#recheck ??= setInterval(() => this.recheck(), RECHECK_MS);
    return watcher;
  }

  *#greeting(topics: ReadonlySet<Topic>): Iterable<Message> {
    for (const topic of topics) yield* this.#sources[topic].greeting();
  }

  #emit(topic: Topic, { event, data }: { readonly event: string; readonly data: string }): void {
    const message = frame(event, data);
    for (const { stream, topics } of this.#watchers) if (topics.has(topic)) stream.send(message);
  }

  #isWatched(topic: Topic): boolean {
    for (const { topics } of this.#watchers) if (topics.has(topic)) return true;
    return false;
  }

  #left(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return;
    for (const topic of watcher.topics) if (!this.#isWatched(topic)) this.#sources[topic].close();
    if (this.#watchers.size > 0) return;
    clearInterval(this.#ping);
    clearInterval(this.#recheck);
    this.#ping = undefined;
    this.#recheck = undefined;
  }
}
