/**
 * The processes Bookinfo consists of, and the port each listens on unless told otherwise.
 *
 * The YAML beside this file names the same ports (`yaml.test.ts` holds the two together). A version that a reader adds can take v4's.
 */
export interface Workload {
  readonly service: ServiceName;
  readonly version: string;
  readonly port: number;
}

export type ServiceName = 'productpage' | 'reviews' | 'ratings' | 'details';

export const WORKLOADS: readonly Workload[] = [
  { service: 'productpage', version: 'v1', port: 9080 },
  { service: 'reviews', version: 'v1', port: 9081 },
  { service: 'reviews', version: 'v2', port: 9082 },
  { service: 'reviews', version: 'v3', port: 9083 },
  { service: 'ratings', version: 'v1', port: 9084 },
  { service: 'details', version: 'v1', port: 9085 },
  { service: 'reviews', version: 'v4', port: 9086 },
];

/** The documented port of a version, or 9086 for one that is not listed. */
export function defaultPort(service: ServiceName, version: string): number {
  return WORKLOADS.find((workload) => workload.service === service && workload.version === version)?.port ?? 9086;
}
