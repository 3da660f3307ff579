/**
 * What outlier detection knows of each endpoint of a cluster: a row of shared counters (shared-rows.ts), written by every data-plane worker, so that five
 * failures are five wherever they were seen. An endpoint that a reload leaves where it was stays ejected, as in Envoy.
 */

/** Words of a row. Failures in a row, by the detectors of Envoy's outlier_detection.proto; then the ejection. */
export const WORD = {
  serverErrors: 0,
  gatewayErrors: 1,
  localFailures: 2,
  /** One of `EJECTION`; left `none` by compareExchange only, so that two workers never eject twice. */
  ejected: 3,
  /** `hostMs` of the ejection. */
  ejectedAt: 4,
  /** How many times its next ejection is as long as the base; falls by one with each interval that passes without one. */
  multiplier: 5,
  /** Over all times. */
  ejections: 6,
  /** Ejections that were due and not carried out, because too many endpoints were ejected already. */
  overflows: 7,
} as const;

export const EJECTION = { none: 0, inForce: 1, pending: 2 } as const;

export function outlierKey(cluster: string, address: string, port: number): string {
  return `${cluster} ${address} ${port}`;
}
