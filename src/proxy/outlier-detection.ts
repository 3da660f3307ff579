/**
 * Passive health checking as Envoy does it (envoy.config.cluster.v3.OutlierDetection; source/common/upstream/outlier_detection_impl.cc): an endpoint
 * that fails so many times in a row is ejected, for longer each time.
 *
 * - An answer from 500 on counts as a server error, 502, 503 and 504 also as a gateway error; any other answer sets both back to 0. Codes the
 *   DestinationRule lists count like server errors.
 * - What goes wrong on our side of the connection (refused, timed out, reset) counts as a gateway error too, or, with
 *   `splitExternalLocalOriginErrors`, by a counter of its own.
 * - An ejection that would leave more than `maxEjectionPercent` of the endpoints ejected is not carried out: 100 (ejected + 1) / endpoints.
 * - It ends at a tick of the interval, `baseEjectionTime` times the number of ejections after it began, 300 s (or the base, if that is longer) at
 *   most. That number falls by one with each interval without an ejection.
 *
 * Counters are shared by all workers (telemetry/outlier-board.ts); `sweep` is the control plane's, once an interval.
 */
import type { OutlierDetection } from '../routing/table.ts';
import { EJECTION, WORD } from '../telemetry/outlier-board.ts';
import { hostMs, type SharedRow } from '../telemetry/shared-rows.ts';

/** Envoy's max_ejection_time. */
const MAX_EJECTION_MS = 300_000;
const GATEWAY_ERRORS = new Set([502, 503, 504]);

export class OutlierDetector {
  readonly #spec: OutlierDetection;
  /** Of every endpoint of the cluster. */
  readonly #rows: readonly SharedRow[];

  constructor(spec: OutlierDetection, rows: readonly SharedRow[]) {
    this.#spec = spec;
    this.#rows = rows;
  }

  /** The upstream answered. */
  onResponse(row: SharedRow, status: number): void {
    const { splitLocalErrors, errorStatuses } = this.#spec;
    if (splitLocalErrors) reset(row, WORD.localFailures);
    if (status >= 500 || errorStatuses.includes(status)) this.#onError(row, GATEWAY_ERRORS.has(status));
    else {
      reset(row, WORD.serverErrors);
      reset(row, WORD.gatewayErrors);
    }
  }

  /** There was no answer: the connection could not be made or broke, or the time was up. */
  onLocalFailure(row: SharedRow): void {
    if (this.#spec.splitLocalErrors) this.#count(row, WORD.localFailures, this.#spec.consecutiveLocalFailures);
    else this.#onError(row, true);
  }

  #onError(row: SharedRow, isGatewayError: boolean): void {
    if (isGatewayError) this.#count(row, WORD.gatewayErrors, this.#spec.consecutiveGatewayErrors);
    else reset(row, WORD.gatewayErrors);
    this.#count(row, WORD.serverErrors, this.#spec.consecutive5xxErrors);
  }

  /** @param limit 0: counted, but nobody is ejected for it. */
  #count(row: SharedRow, word: number, limit: number): void {
    const count = Atomics.add(row, word, 1) + 1;
    if (limit === 0 || count < limit) return;
    Atomics.store(row, word, 0);
    this.#eject(row);
  }

  #eject(row: SharedRow): void {
    if (Atomics.compareExchange(row, WORD.ejected, EJECTION.none, EJECTION.pending) !== EJECTION.none) return;
    // With itself among them: of two workers that eject the last allowed endpoint each, none gets through rather than both.
    const ejected = this.#rows.filter((each) => Atomics.load(each, WORD.ejected) !== EJECTION.none).length;
    if ((100 * ejected) / this.#rows.length > this.#spec.maxEjectionPercent) {
      Atomics.store(row, WORD.ejected, EJECTION.none);
      Atomics.add(row, WORD.overflows, 1);
      return;
    }
    Atomics.store(row, WORD.ejectedAt, hostMs());
    Atomics.add(row, WORD.multiplier, 1);
    Atomics.add(row, WORD.ejections, 1);
    Atomics.store(row, WORD.ejected, EJECTION.inForce);
  }
}

export function isEjected(row: SharedRow): boolean {
  return row[WORD.ejected] === EJECTION.inForce;
}

/** One tick of the interval over a cluster's endpoints. @param nowMs `hostMs()`. */
export function sweep(spec: Pick<OutlierDetection, 'baseEjectionMs'>, rows: readonly SharedRow[], nowMs: number): void {
  for (const row of rows) {
    const multiplier = Atomics.load(row, WORD.multiplier);
    if (Atomics.load(row, WORD.ejected) !== EJECTION.inForce) {
      if (multiplier > 0) Atomics.sub(row, WORD.multiplier, 1);
      continue;
    }
    const lastsMs = Math.min(spec.baseEjectionMs * multiplier, Math.max(MAX_EJECTION_MS, spec.baseEjectionMs));
    if (((nowMs - Atomics.load(row, WORD.ejectedAt)) | 0) < lastsMs) continue;
    for (const word of [WORD.serverErrors, WORD.gatewayErrors, WORD.localFailures]) Atomics.store(row, word, 0);
    Atomics.store(row, WORD.ejected, EJECTION.none);
  }
}

/** Written only where there is something to set back: a healthy endpoint costs a read. */
function reset(row: SharedRow, word: number): void {
  if (row[word] !== 0) Atomics.store(row, word, 0);
}
