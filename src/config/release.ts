/**
 * A release under way, as far as routing is concerned: who serves, with which weights, for whom. The rollout engine writes it into the overlay;
 * `applyOverlay` puts it into the user's rules and on the Snapshot, where routing/ finds how shares are drawn and where attempts are counted.
 */
import type { HttpMatchRequest } from './resources.ts';

export interface ReleaseOverlay {
  /** `namespace/name` of the Rollout. */
  readonly rollout: string;
  /** Names of subsets; of Services, where a route is released. */
  readonly stable: string;
  readonly canaries: readonly string[];
  /** By subset; whole numbers with sum 10,000: 1 is a hundredth of a percent. */
  readonly weights: Readonly<Record<string, number>>;
  /** Requests that go to `to` whatever the weights; they stand before the user's rules for the host. */
  readonly headerRoutes: readonly HeaderRoute[];
  /**
   * Of a route: Services of the Rollout's earlier releases. What the user's rules send to them is the release's to give; of all other Services that a rule
   * names it is not.
   */
  readonly retired?: readonly string[];
  /** Requests with a valid preview link go to `to` whatever the weights, before anything else is asked of them. */
  readonly preview?: readonly PreviewRoute[];
  /** Copies of this percentage of the requests go to `to`, too; its answers are dropped. */
  readonly mirror?: { readonly to: string; readonly percentage: number };
  /** Absent: by request, drawn independently. */
  readonly assignment?: ReleaseAssignment;
  /** By user, with several canaries: who owns the buckets, from 0 on; the sizes are the weights. Absent: the canaries in order, then stable. */
  readonly ranges?: readonly BucketRange[];
  /** Everybody is on stable, and counted there: what is usual, and how much traffic there is, must be known before a canary gets any. */
  readonly measures?: true;
  /** Of the canaries' share: idempotent requests that get no answer, or one with such a status, are answered by stable. */
  readonly fallbackOn?: readonly number[];
  /** Grows with every change of weights: the stratum of the statistics. */
  readonly epoch: number;
}

export interface PreviewRoute {
  /** `previewGrant`, of preview.ts. */
  readonly grant: string;
  readonly to: string;
}

export interface HeaderRoute {
  readonly name: string;
  /** One of them must hold. */
  readonly match: readonly HttpMatchRequest[];
  readonly to: string;
}

export interface BucketRange {
  readonly subset: string;
  /** Buckets; above 0. */
  readonly size: number;
  /** Users whom a canary had that has left: what they can still be counted for depends on that canary, so they count for nobody. */
  readonly isUncounted?: true;
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
  /** What is released, as release-target.ts has it: the full name of a service, or a route. */
  readonly host: string;
}
