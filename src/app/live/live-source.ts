/** The topic `live`, and GET /api/v1/live: samples once a second while somebody watches or has asked lately, and not at all otherwise. */
import type { EventSource } from '../../admin/events.ts';
import type { Message } from '../../admin/event-stream.ts';
import type { Logger } from '../logger.ts';
import { LiveSampler, type SamplerDeps } from './sampler.ts';

const LOOK_MS = 1000;
/** Sampling goes on after the last watcher or question: whoever comes back finds rates, not zeros. */
const LINGER_MS = 10_000;

type Emit = Parameters<EventSource['open']>[0];

export class LiveSource implements EventSource {
  readonly #deps: SamplerDeps & { readonly logger: Logger };
  #sampler: LiveSampler | undefined;
  #timer: NodeJS.Timeout | undefined;
  #emit: Emit | undefined;
  /** Monotonic: when somebody was last there. */
  #neededAtMs = 0;
  /** Since sampling has begun. */
  #looks = 0;
  #waiting: (() => void)[] = [];

  constructor(deps: SamplerDeps & { readonly logger: Logger }) {
    this.#deps = deps;
  }

  /** Looks so far, over all times: to tell that there are none. */
  get looks(): number {
    return this.#looks;
  }

  open(emit: Emit): void {
    this.#emit = emit;
    this.#needed();
  }

  close(): void {
    this.#emit = undefined;
    this.#neededAtMs = this.#deps.clock.monotonicMs();
  }

  *greeting(): Iterable<Message> {
    yield { event: 'live', data: this.#needed().full() };
  }

  /** JSON of everything; the first one waits until there are rates, a second at most. */
  async full(): Promise<string> {
    const sampler = this.#needed();
    if (!sampler.hasRates) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    return [...sampler.full()].join('');
  }

  /** Nothing is sampled after this. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#sampler = undefined;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #needed(): LiveSampler {
    this.#neededAtMs = this.#deps.clock.monotonicMs();
    this.#sampler ??= new LiveSampler(this.#deps);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return this.#sampler;
  }

  #look(): void {
    const { clock, logger } = this.#deps;
    const sampler = this.#sampler;
    if (sampler === undefined) return;
    if (this.#emit === undefined && this.#waiting.length === 0 && clock.monotonicMs() - this.#neededAtMs >= LINGER_MS) {
      this.stop();
      return;
    }
    try {
      this.#looks++;
      const data = sampler.look();
      this.#emit?.({ event: 'live', data });
    } catch (error) {
      logger.error({ err: error }, 'what is served could not be looked at; those who watch it are told a second later');
    }
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
