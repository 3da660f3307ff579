/**
 * Which endpoints their active health checks hold healthy, in shared memory: one byte an endpoint, written by the control plane's checker,
 * read by data-plane workers on every choice of an endpoint. The kill switches of releases are bytes here, too.
 *
 * Invariants: a slot starts healthy (0 is healthy, so memory needs no preparation); a key keeps its slot for the life of the process;
 * segments never move and new ones are appended. A worker attaches the list together with the table that uses it.
 */
import { assert } from '../base/assert.ts';

const SLOTS_PER_SEGMENT = 4096;

const HEALTHY = 0;
const UNHEALTHY = 1;

/**
 * The key of one checked endpoint. Clusters that share an endpoint and a path share the check.
 *
 * @param path  As requested, with its leading slash.
 */
export function healthKey(address: string, port: number, path: string): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}${path}`;
}

/** The writer's side. */
export class HealthBoard {
  readonly #slots = new Map<string, number>();
  readonly #segments: SharedArrayBuffer[] = [];
  readonly #view = new HealthView();

  /** The key's slot, the same ever after. A new one is healthy. */
  slot(key: string): number {
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = this.#slots.size;
    if (slot % SLOTS_PER_SEGMENT === 0) {
      this.#segments.push(new SharedArrayBuffer(SLOTS_PER_SEGMENT));
      this.#view.attach(this.#segments);
    }
    this.#slots.set(key, slot);
    return slot;
  }

  set(slot: number, healthy: boolean): void {
    const segment = this.#segments[Math.floor(slot / SLOTS_PER_SEGMENT)];
    assert(segment !== undefined, `slot ${slot} was handed out by slot()`);
    Atomics.store(new Uint8Array(segment), slot % SLOTS_PER_SEGMENT, healthy ? HEALTHY : UNHEALTHY);
  }

  isHealthy(slot: number): boolean {
    return this.#view.isHealthy(slot);
  }

  /** Everything a worker attaches to; grows when `slot` makes new ones. */
  segments(): readonly SharedArrayBuffer[] {
    return this.#segments.slice();
  }
}

/** A worker's side. */
export class HealthView {
  #segments: readonly Uint8Array[] = [];

  attach(segments: readonly SharedArrayBuffer[]): void {
    this.#segments = segments.map((segment) => new Uint8Array(segment));
  }

  /** A slot whose segment was not attached counts as healthy. A change is seen at the latest in the next turn of the event loop. */
  isHealthy(slot: number): boolean {
    const segment = this.#segments[(slot / SLOTS_PER_SEGMENT) | 0];
    return segment === undefined || segment[slot % SLOTS_PER_SEGMENT] !== UNHEALTHY;
  }

  /** For kill switches, which a worker may throw as well as the control plane; both only ever this way. */
  setUnhealthy(slot: number): void {
    const segment = this.#segments[Math.floor(slot / SLOTS_PER_SEGMENT)];
    if (segment !== undefined) Atomics.store(segment, slot % SLOTS_PER_SEGMENT, UNHEALTHY);
  }
}
