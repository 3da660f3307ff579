/** The topic `configuration`: what is in force, and what became of the files when they were read last. */
import type { ConfigurationSummary } from '../../admin/live-types.ts';
import type { Message } from '../../admin/event-stream.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Emit, Looker } from './poll-source.ts';

export class ConfigurationLooker implements Looker {
  readonly #pipeline: Pick<Pipeline, 'inForce' | 'lastReload'>;
  #told = '';

  constructor(pipeline: Pick<Pipeline, 'inForce' | 'lastReload'>) {
    this.#pipeline = pipeline;
  }

  *all(): Iterable<Message> {
    const data = this.#text();
    // Those who watch already are told at the next look, if this is new to them.
    if (this.#told === '') this.#told = data;
    yield { event: 'configuration', data };
  }

  look(emit: Emit): void {
    const data = this.#text();
    if (data === this.#told) return;
    this.#told = data;
    emit({ event: 'configuration', data });
  }

  #text(): string {
    const { inForce, lastReload } = this.#pipeline;
    return JSON.stringify({
      version: inForce.table.version,
      at: new Date(inForce.sinceMs).toISOString(),
      reload: { successful: lastReload.successful, at: new Date(lastReload.atMs).toISOString() },
      errors: lastReload.errors,
      warnings: inForce.diagnostics.length,
    } satisfies ConfigurationSummary);
  }
}
