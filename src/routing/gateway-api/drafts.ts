/** Gateways, ListenerSets and their listeners while it is being found out what becomes of them. */
import type { GatewayApiGateway, GatewayApiListener, ListenerSet, RouteGroupKind } from '../../config/gateway-api/types.ts';
import type { Verdict } from './conditions.ts';
import type { ClientValidations } from './frontend-tls.ts';
import type { AttachedListener, ListenerRoute } from './model.ts';

export interface GatewayDraft {
  readonly gateway: GatewayApiGateway;
  /** `namespace/name`. */
  readonly name: string;
  /** Why it is not served as a whole; then its listeners take nothing from others. */
  readonly refused: Verdict | undefined;
  /** The address it is bound to by itself. */
  readonly bind: string | undefined;
  /** Addresses that it asks for and does not get. */
  readonly unusable: Verdict | undefined;
  /** Of `spec.tls.backend`; the credential where it is good. */
  readonly clientCertificate: { readonly verdict: Verdict; readonly credential?: string } | undefined;
  readonly validations: ClientValidations;
  readonly listeners: readonly ListenerDraft[];
  /** In the order in which they count. */
  readonly sets: ListenerSetDraft[];
}

export interface ListenerSetDraft {
  readonly set: ListenerSet;
  readonly parent: GatewayDraft;
  readonly refused: Verdict | undefined;
  readonly listeners: readonly ListenerDraft[];
}

/** What its listeners have to know of a Gateway. */
export type ListenerParent = Pick<GatewayDraft, 'gateway' | 'name' | 'bind' | 'clientCertificate' | 'validations'>;

export interface ListenerDraft {
  readonly parent: ListenerParent;
  readonly owner: GatewayApiGateway | ListenerSet;
  readonly listener: GatewayApiListener;
  readonly path: string;
  readonly tableListener: string;
  /** What connections begin with; undefined where the protocol is unknown here. */
  readonly speaks: 'HTTP' | 'TLS' | undefined;
  /** `HTTP`, `HTTPS`, `TLS`. */
  readonly protocol: string;
  readonly endsTls: boolean;
  /** Lower case; `*` where none is stated. */
  readonly hostname: string;
  readonly supportedKinds: readonly RouteGroupKind[];
  readonly certificates: readonly string[];
  readonly clientValidation: AttachedListener['clientValidation'];
  readonly resolvedRefs: Verdict;
  /** Why it is not accepted by itself, whatever others want. */
  refused: Verdict | undefined;
  conflict: Verdict | undefined;
  overlaps: boolean;
  readonly routes: ListenerRoute[];
  attachedRoutes: number;
}

export function isAccepted({ refused, conflict }: ListenerDraft): boolean {
  return refused === undefined && conflict === undefined;
}

/** Whether there is something to serve it with. */
export function isProgrammed(draft: ListenerDraft): boolean {
  return isAccepted(draft) && (!draft.endsTls || draft.certificates.length > 0);
}
