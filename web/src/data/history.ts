/** The last minutes of every service, as long as the page is open. A service that does not change is one object in all its samples, so idle ones cost a reference. */
import type { LiveService } from '../../../src/admin/live-types.ts';

export interface Sample {
  readonly atMs: number;
  readonly services: ReadonlyMap<string, LiveService>;
}

const KEPT_MS = 5 * 60_000;
/** Of many services fewer samples are kept: a map of 1,000 a second for five minutes would be 300,000 entries. */
const MAX_ENTRIES = 100_000;

export class History {
  #samples: Sample[] = [];

  add(atMs: number, services: ReadonlyMap<string, LiveService>): void {
    const most = Math.max(60, Math.floor(MAX_ENTRIES / Math.max(1, services.size)));
    this.#samples.push({ atMs, services });
    let outdated = 0;
    while ((this.#samples[outdated]?.atMs ?? atMs) < atMs - KEPT_MS) outdated++;
    outdated = Math.max(outdated, this.#samples.length - most);
    if (outdated > 0) this.#samples.splice(0, outdated);
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }
}
