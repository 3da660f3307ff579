/** What a shift or a release does to its target, as far as rules of VirtualServices and routes of the Gateway API have it in common. */
import { PREVIEW_HEADER } from './preview.ts';
import type { HeaderRoute, ReleaseOverlay } from './release.ts';
import type { AnyResource } from './resources.ts';

/** Marks a resource the overlay changed or added; its value says by what. */
export const OVERLAY_ANNOTATION = 'serin.dev/overlay';

export interface TargetChange {
  /** As release-target.ts has it. */
  readonly target: string;
  /** In the order of the destinations. A list, because a record would put a subset named `2` first. */
  readonly weights: readonly VersionWeight[];
  /** For the annotation. */
  readonly by: string;
  readonly release?: ReleaseOverlay;
}

export type VersionWeight = readonly [version: string, weight: number];

/** Whom a release sends to one version whatever the weights, each with the name of the rule. */
export function singledOut(release: ReleaseOverlay | undefined): readonly HeaderRoute[] {
  const previews = (release?.preview ?? []).map(({ grant, to }) => ({
    name: `serin-preview-${to}`,
    match: [{ headers: { [PREVIEW_HEADER]: { exact: grant } } }],
    to,
  }));
  return [...previews, ...(release?.headerRoutes ?? []).map((route) => ({ ...route, name: `serin-cohort-${route.name}` }))];
}

export function marked(metadata: AnyResource['metadata'], by: string): AnyResource['metadata'] {
  return { ...metadata, annotations: { ...metadata.annotations, [OVERLAY_ANNOTATION]: by } };
}
