/** Counts which version of reviews answered whom, over the last half minute, and says it in one line. */

const WINDOW_MS = 30_000;

/** `failed` stands beside the versions: a request that got no reviews. */
export const FAILED = 'failed';

interface Entry {
  readonly atMs: number;
  readonly user: string | undefined;
  readonly outcome: string;
}

export class Tally {
  readonly #entries: Entry[] = [];

  /** @param outcome `v1`, or FAILED */
  record(atMs: number, user: string | undefined, outcome: string): void {
    this.#entries.push({ atMs, user, outcome });
  }

  /** `last 30 s   jason: v2 100 % of 28   others: v1 91 %, v2 9 % of 263` */
  line(nowMs: number): string {
    const fresh = this.#entries.findIndex(({ atMs }) => atMs > nowMs - WINDOW_MS);
    this.#entries.splice(0, fresh === -1 ? this.#entries.length : fresh);
    const users = [...new Set(this.#entries.map(({ user }) => user))].sort((a, b) => (b ?? '').localeCompare(a ?? ''));
    const shares = users.map((user) => `${user ?? 'others'}: ${shareOf(this.#entries.filter((entry) => entry.user === user))}`);
    return [`last ${WINDOW_MS / 1000} s`, ...(shares.length === 0 ? ['no answers yet'] : shares)].join('   ');
  }
}

function shareOf(entries: readonly Entry[]): string {
  const counts = new Map<string, number>();
  for (const { outcome } of entries) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  const parts = [...counts]
    .sort(([a], [b]) => Number(a === FAILED) - Number(b === FAILED) || a.localeCompare(b))
    .map(([outcome, count]) => `${outcome} ${percent(count, entries.length)}`);
  return `${parts.join(', ')} of ${entries.length}`;
}

function percent(count: number, total: number): string {
  return `${((100 * count) / total).toFixed(0)} %`;
}
