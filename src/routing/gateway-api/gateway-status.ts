/** What is said of Gateways, ListenerSets and their listeners once it is known what becomes of them. */
import { conditionsOf, no, type Verdict, yes } from './conditions.ts';
import { type GatewayDraft, isAccepted, isProgrammed, type ListenerDraft, type ListenerSetDraft } from './drafts.ts';
import { isInsecure } from './frontend-tls.ts';
import type { GatewayStatus, ListenerSetStatus, ListenerStatus } from './status.ts';

/** Whether its listeners are served as far as they can be. */
export function isServed({ refused, bind, unusable }: GatewayDraft): boolean {
  // With no usable address left the shared one would be somewhere the Gateway did not ask for.
  return refused === undefined && (unusable === undefined || bind !== undefined);
}

/** A ListenerSet is as good as its listeners: one that lacks its certificates does not count (conformance, ListenerSetReferenceGrant). */
function isAcceptedSet({ refused, listeners }: ListenerSetDraft): boolean {
  return refused === undefined && listeners.some(isProgrammed);
}

export function gatewayStatus(draft: GatewayDraft): GatewayStatus {
  const { gateway, listeners, sets, clientCertificate } = draft;
  const insecure = 'clients without a good certificate are let in (AllowInsecureFallback)';
  const verdicts = [
    gatewayAccepted(draft),
    gatewayProgrammed(draft),
    ...(clientCertificate === undefined ? [] : [clientCertificate.verdict]),
    ...(isInsecure(gateway) ? [yes('InsecureFrontendValidationMode', 'ConfigurationChanged', insecure)] : []),
  ];
  return {
    conditions: conditionsOf(gateway.metadata, verdicts),
    listeners: listeners.map((listener) => listenerStatus(listener, draft)),
    attachedListenerSets: sets.filter(isAcceptedSet).length,
  };
}

function gatewayAccepted({ refused, listeners, sets }: GatewayDraft): Verdict {
  if (refused !== undefined) return refused;
  const bad = listeners.filter((listener) => !isAccepted(listener));
  if (bad.length === 0) return yes('Accepted');
  const message = `not accepted: ${namesOf(bad)}`;
  const isAnyGood = bad.length < listeners.length || sets.some(isAcceptedSet);
  return isAnyGood ? yes('Accepted', 'ListenersNotValid', message) : no('Accepted', 'ListenersNotValid', message);
}

function gatewayProgrammed(draft: GatewayDraft): Verdict {
  const { unusable, listeners, sets } = draft;
  if (!gatewayAccepted(draft).status) return no('Programmed', 'Invalid', 'the Gateway is not accepted');
  if (unusable !== undefined) return unusable;
  const bad = listeners.filter((listener) => !isProgrammed(listener));
  if (bad.length === 0) return yes('Programmed');
  const isAnyGood = bad.length < listeners.length || sets.some((set) => set.listeners.some(isProgrammed));
  const message = `not served: ${namesOf(bad)}`;
  return isAnyGood ? yes('Programmed', 'Programmed', message) : no('Programmed', 'Invalid', message);
}

export function listenerSetStatus(draft: ListenerSetDraft): ListenerSetStatus {
  const { set, listeners, parent } = draft;
  return {
    conditions: conditionsOf(set.metadata, [setAccepted(draft), setProgrammed(draft)]),
    listeners: listeners.map((listener) => listenerStatus(listener, parent)),
  };
}

function setAccepted({ refused, listeners }: ListenerSetDraft): Verdict {
  if (refused !== undefined) return refused;
  const bad = listeners.filter((listener) => !isProgrammed(listener));
  if (bad.length === 0) return yes('Accepted');
  const message = `not accepted: ${namesOf(bad)}`;
  return bad.length < listeners.length ? yes('Accepted', 'ListenersNotValid', message) : no('Accepted', 'ListenersNotValid', message);
}

function setProgrammed(draft: ListenerSetDraft): Verdict {
  const { parent, listeners } = draft;
  const accepted = setAccepted(draft);
  if (accepted.reason === 'ParentNotAccepted') return no('Programmed', 'ParentNotProgrammed', accepted.message);
  if (!accepted.status) return no('Programmed', accepted.reason, accepted.message);
  if (!isServed(parent)) return no('Programmed', 'ParentNotProgrammed', `Gateway ${parent.name} is not served`);
  const bad = listeners.filter((listener) => !isProgrammed(listener));
  if (bad.length === 0) return yes('Programmed');
  const message = `not served: ${namesOf(bad)}`;
  return bad.length < listeners.length ? yes('Programmed', 'Programmed', message) : no('Programmed', 'ListenersNotValid', message);
}

function listenerStatus(draft: ListenerDraft, parent: GatewayDraft): ListenerStatus {
  const { owner, listener, supportedKinds, attachedRoutes, conflict, overlaps, resolvedRefs } = draft;
  const overlapping = 'another listener of this port ends TLS for names of this one, too: HTTP/2 connections may be used for both';
  return {
    name: listener.name,
    supportedKinds,
    attachedRoutes,
    conditions: conditionsOf(owner.metadata, [
      listenerAccepted(draft, parent),
      listenerProgrammed(draft, parent),
      resolvedRefs,
      conflict ?? no('Conflicted', 'NoConflicts', ''),
      ...(overlaps ? [yes('OverlappingTLSConfig', 'OverlappingHostnames', overlapping)] : []),
    ]),
  };
}

function listenerAccepted({ refused, conflict, owner }: ListenerDraft, parent: GatewayDraft): Verdict {
  if (refused !== undefined) return refused;
  if (conflict !== undefined) return no('Accepted', owner === parent.gateway ? 'Invalid' : conflict.reason, conflict.message);
  return parent.refused === undefined ? yes('Accepted') : no('Accepted', 'Invalid', 'the Gateway is not accepted');
}

function listenerProgrammed(draft: ListenerDraft, parent: GatewayDraft): Verdict {
  const accepted = listenerAccepted(draft, parent);
  if (!accepted.status) return no('Programmed', draft.conflict === undefined ? 'Invalid' : accepted.reason, accepted.message);
  if (!isProgrammed(draft)) return no('Programmed', 'Invalid', draft.resolvedRefs.message);
  return isServed(parent) ? yes('Programmed') : no('Programmed', 'Invalid', parent.unusable?.message ?? '');
}

function namesOf(listeners: readonly ListenerDraft[]): string {
  return listeners
    .map(({ listener, refused, conflict }) => {
      const reason = refused?.reason ?? conflict?.reason;
      return reason === undefined ? listener.name : `${listener.name} (${reason})`;
    })
    .join(', ');
}
