/**
 * What the Gateway API wants said under `status` (apis/v1: GatewayStatus, RouteStatus, ListenerSetStatus, PolicyStatus; types and reasons of conditions
 * stand beside them). Times are added where the status is shown: here is no clock.
 */
import type { GatewayApiResource, RouteGroupKind } from '../../config/gateway-api/types.ts';

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

export interface ListenerStatus {
  readonly name: string;
  readonly supportedKinds: readonly RouteGroupKind[];
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}

export interface GatewayClassStatus {
  readonly conditions: readonly Condition[];
  readonly supportedFeatures?: readonly { readonly name: string }[];
}

export interface GatewayStatus {
  readonly conditions: readonly Condition[];
  readonly listeners: readonly ListenerStatus[];
  readonly attachedListenerSets?: number;
}

export interface ListenerSetStatus {
  readonly conditions: readonly Condition[];
  readonly listeners: readonly ListenerStatus[];
}

/** What a status is about: a parent of a route, an ancestor of a policy. */
export interface StatusReference {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly sectionName?: string;
  readonly port?: number;
}

export interface RouteStatus {
  readonly parents: readonly {
    /** As the route has it. */
    readonly parentRef: StatusReference;
    readonly controllerName: string;
    readonly conditions: readonly Condition[];
  }[];
}

export interface PolicyStatus {
  readonly ancestors: readonly {
    readonly ancestorRef: StatusReference;
    readonly controllerName: string;
    readonly conditions: readonly Condition[];
  }[];
}

export type GatewayApiStatus = GatewayClassStatus | GatewayStatus | ListenerSetStatus | RouteStatus | PolicyStatus;

/** By `statusKey`. */
export type GatewayApiStatuses = ReadonlyMap<string, GatewayApiStatus>;

/** `HTTPRoute default/reviews`; with the kinds of `ResourceKind`. */
export function statusKey({ kind, metadata }: Pick<GatewayApiResource, 'kind' | 'metadata'>): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}

/** Conditions that are good when they are False; those of every other type are when they are True. */
const BAD_WHEN_TRUE: ReadonlySet<string> = new Set([
  'Conflicted',
  'PartiallyInvalid',
  'OverlappingTLSConfig',
  'InsecureFrontendValidationMode',
]);

/** Whether the condition is not as its owner wants it. */
export function isTrouble({ type, status }: { readonly type: string; readonly status: string }): boolean {
  return (status === 'True') === BAD_WHEN_TRUE.has(type);
}
