/**
 * Which configurations were in force, and what each changed: a document of the durable state, the last 200. It is written after the change is in
 * force, so a crash in between can cost its line, and nothing else.
 */
import { z } from 'zod';
import { ConfigurationChange } from '../admin/resource-types.ts';
import type { Overlay } from '../config/overlay.ts';
import { changesBetween } from './changes.ts';
import type { Logger } from './logger.ts';
import type { Cause, InForce } from './in-force.ts';
import type { State } from './state.ts';

const DOCUMENT = 'history';
const MAX_ENTRIES = 200;
/** Of one entry; the rest are counted. */
const MAX_CHANGES = 50;

export class History {
  readonly #state: State;
  readonly #logger: Logger;
  /** Newest first. */
  #entries: readonly ConfigurationChange[];

  constructor(state: State, logger: Logger) {
    this.#state = state;
    this.#logger = logger;
    this.#entries = readEntries(state, logger);
  }

  list(): readonly ConfigurationChange[] {
    return this.#entries;
  }

  /** @param before Undefined at a start, which is an entry where it brings something else into force than was before. */
  add({ cause, by }: Cause, before: InForce | undefined, after: InForce): void {
    const { version } = after.table;
    if (before === undefined && this.#entries[0]?.version === version) return;
    const resources = before === undefined ? ['start'] : changesBetween(before.base, after.base);
    const changes = [...resources, ...overlayChanges(before?.overlay, after.overlay)];
    const more = changes.length - MAX_CHANGES;
    const entry: ConfigurationChange = {
      at: new Date(after.sinceMs).toISOString(),
      version,
      cause,
      by: cause === 'rollout' ? rolloutsOf(before?.overlay, after.overlay) : by,
      changes: [...changes.slice(0, MAX_CHANGES), ...(more > 0 ? [`and ${more} more`] : [])],
    };
    this.#entries = [entry, ...this.#entries].slice(0, MAX_ENTRIES);
    try {
      this.#state.putAll(new Map([[DOCUMENT, JSON.stringify({ items: this.#entries })]]), []);
    } catch (error) {
      this.#logger.warn({ err: error }, 'the history of the configuration could not be written; the change itself is in force');
    }
  }
}

function readEntries(state: State, logger: Logger): readonly ConfigurationChange[] {
  const text = state.get(DOCUMENT);
  if (text === undefined) return [];
  try {
    return z.strictObject({ items: z.array(ConfigurationChange) }).parse(JSON.parse(text)).items;
  } catch (error) {
    logger.error({ err: error }, 'the stored history of the configuration cannot be used; it begins anew');
    return [];
  }
}

/** `reviews.default.svc.cluster.local v1=50 v2=50`, or `… as the files say`. */
function overlayChanges(before: Overlay | undefined, after: Overlay): string[] {
  return hostsChanged(before, after).map((host) => {
    const weights = after.releases[host]?.weights ?? after.shifts[host]?.weights;
    if (weights === undefined) return `${host} as the files say`;
    const release = after.releases[host];
    // Weights of a release are parts of 10,000.
    const shown = Object.entries(weights).map(([subset, weight]) => `${subset}=${release === undefined ? weight : `${weight / 100}%`}`);
    return `${host} ${shown.join(' ')}`;
  });
}

function hostsChanged(before: Overlay | undefined, after: Overlay): string[] {
  const text = (overlay: Overlay | undefined, host: string): string =>
    JSON.stringify([overlay?.releases[host] ?? null, overlay?.shifts[host] ?? null]);
  const hosts = [before?.shifts, before?.releases, after.shifts, after.releases].flatMap((part) => Object.keys(part ?? {}));
  return [...new Set(hosts)].filter((host) => text(before, host) !== text(after, host));
}

function rolloutsOf(before: Overlay | undefined, after: Overlay): string {
  const names = hostsChanged(before, after).flatMap((host) => (after.releases[host] ?? before?.releases[host])?.rollout ?? []);
  return [...new Set(names)].join(', ');
}
