/**
 * A release under way, as far as routing is concerned: who serves, with which weights, for whom. The rollout engine writes it into the overlay;
 * `applyOverlay` puts it into the user's rules and on the Snapshot, where routing/ finds how shares are drawn and where attempts are counted.
 */
import type { HttpMatchRequest } from './resources.ts';

export interface ReleaseOverlay {
  /** `namespace/name` of the Rollout. */
  readonly rollout: string;
  /** Subset names. */
  readonly stable: string;
  readonly canaries: readonly string[];
  /** By subset; whole numbers with sum 10,000: 1 is a hundredth of a percent. */
  readonly weights: Readonly<Record<string, number>>;
  /** Requests that go to `to` whatever the weights; they stand before the user's rules for the host. */
  readonly headerRoutes: readonly HeaderRoute[];
  /** Copies of this percentage of the requests go to `to`, too; its answers are dropped. */
  readonly mirror?: { readonly to: string; readonly percentage: number };
  /** Absent: by request, drawn independently. */
  readonly assignment?: ReleaseAssignment;
  /** Grows with every change of weights: the stratum of the statistics. */
  readonly epoch: number;
}

export interface HeaderRoute {
  readonly name: string;
  /** One of them must hold. */
  readonly match: readonly HttpMatchRequest[];
  readonly to: string;
}

export interface ReleaseAssignment {
  readonly salt: string;
  /** The first that a request has counts. */
  readonly keys: readonly ReleaseKey[];
}

export type ReleaseKey =
  | { readonly kind: 'header'; readonly name: string }
  /** With `maxAgeSeconds` it is set where a request has no key at all. */
  | { readonly kind: 'cookie'; readonly name: string; readonly maxAgeSeconds?: number }
  | { readonly kind: 'sourceAddress' };

export interface Release extends ReleaseOverlay {
  /** Full name of the service. */
  readonly host: string;
}
