/** Who has which hostname on which listener of the table; claimed resource by resource, in the order in which they count. */
import { OverlapIndex } from '../../config/hosts.ts';
import { no } from './conditions.ts';
import { isAccepted, type ListenerDraft } from './drafts.ts';

interface Claim {
  readonly first: ListenerDraft;
  readonly byHostname: Map<string, ListenerDraft>;
}

type Conflict = 'HostnameConflict' | 'ProtocolConflict';

export class ListenerClaims {
  /** By name of a listener of the table, the Gateway of Istio that has it. */
  readonly #istio: ReadonlyMap<string, string>;
  readonly #claims = new Map<string, Claim>();
  /** `address:port`, and who is bound there. */
  readonly #bound = new Map<string, ListenerDraft>();

  constructor(istio: ReadonlyMap<string, string>) {
    this.#istio = istio;
  }

  /** Those of one resource: marks the ones that cannot be served, and claims for the others. */
  claim(listeners: readonly ListenerDraft[]): void {
    const candidates = listeners.filter((draft) => draft.speaks !== undefined && !this.#isTaken(draft));
    for (const [draft, conflict] of conflictsWithin(candidates)) refuse(draft, conflict.kind, conflict.message);
    for (const draft of candidates) {
      if (draft.conflict !== undefined) continue;
      const claim = this.#claims.get(draft.tableListener);
      if (claim === undefined) {
        this.#claims.set(draft.tableListener, { first: draft, byHostname: new Map([[draft.hostname, draft]]) });
        continue;
      }
      const holder = claim.first.speaks === draft.speaks ? claim.byHostname.get(draft.hostname) : claim.first;
      if (holder === undefined) claim.byHostname.set(draft.hostname, draft);
      else refuseFor(draft, holder);
    }
  }

  #isTaken(draft: ListenerDraft): boolean {
    const { tableListener, listener, parent } = draft;
    const hint = `give this Gateway an address of its own: --listen ${parent.name}:${listener.port}=ADDRESS:PORT`;
    const istio = this.#istio.get(tableListener);
    if (istio !== undefined) {
      draft.refused ??= no('Accepted', 'PortUnavailable', `port ${listener.port} belongs to Istio's Gateway ${istio}; ${hint}`);
      return true;
    }
    if (parent.bind === undefined) return false;
    const address = `${parent.bind}:${listener.port}`;
    const before = this.#bound.get(address);
    if (before === undefined) this.#bound.set(address, draft);
    else if (before.tableListener !== tableListener) {
      draft.refused ??= no('Accepted', 'PortUnavailable', `${address} belongs to Gateway ${before.parent.name}`);
      return true;
    }
    return false;
  }

  /** Of all that are accepted: whether names of one that ends TLS are names of another one, too. */
  markOverlaps(): void {
    for (const { byHostname } of this.#claims.values()) {
      const ending = [...byHostname.values()].filter((draft) => draft.endsTls && isAccepted(draft));
      // An index tells of one earlier host that overlaps; from both ends everybody is told.
      for (const drafts of [ending, ending.toReversed()]) {
        const index = new OverlapIndex();
        for (const draft of drafts) if (index.add(draft.hostname) !== undefined) draft.overlaps = true;
      }
    }
  }
}

/** What one resource says itself: no winner is picked. */
function conflictsWithin(
  listeners: readonly ListenerDraft[],
): ReadonlyMap<ListenerDraft, { readonly kind: Conflict; readonly message: string }> {
  const conflicts = new Map<ListenerDraft, { kind: Conflict; message: string }>();
  for (const same of groupedBy(listeners, ({ tableListener }) => tableListener)) {
    const protocols = [...new Set(same.map(({ protocol }) => protocol))];
    if (new Set(same.map(({ speaks }) => speaks)).size > 1) {
      const message = `listeners of one port begin with TLS or not: ${protocols.join(' and ')} on port ${same[0]?.listener.port}`;
      for (const draft of same) conflicts.set(draft, { kind: 'ProtocolConflict', message });
      continue;
    }
    for (const equal of groupedBy(same, ({ hostname }) => hostname)) {
      if (equal.length < 2) continue;
      const kind = new Set(equal.map(({ protocol }) => protocol)).size > 1 ? 'ProtocolConflict' : 'HostnameConflict';
      const names = equal.map(({ listener }) => listener.name).join(', ');
      const message = `listeners ${names} are for the same port and hostname (${equal[0]?.hostname})`;
      for (const draft of equal) conflicts.set(draft, { kind, message });
    }
  }
  return conflicts;
}

function groupedBy(listeners: readonly ListenerDraft[], keyOf: (draft: ListenerDraft) => string): readonly ListenerDraft[][] {
  const groups = new Map<string, ListenerDraft[]>();
  for (const draft of listeners) {
    const group = groups.get(keyOf(draft));
    if (group === undefined) groups.set(keyOf(draft), [draft]);
    else group.push(draft);
  }
  return [...groups.values()];
}

/** Somebody who counts first has it. */
function refuseFor(draft: ListenerDraft, holder: ListenerDraft): void {
  const { parent, listener, hostname } = draft;
  const kind = holder.protocol === draft.protocol ? 'HostnameConflict' : 'ProtocolConflict';
  const { namespace, name } = holder.owner.metadata;
  const who = `${holder.owner.kind === 'ListenerSet' ? 'ListenerSet' : 'Gateway'} ${namespace}/${name}`;
  const what =
    holder.hostname === hostname ? `hostname ${hostname} on port ${listener.port}` : `port ${listener.port} for ${holder.protocol}`;
  const way =
    holder.parent.name === parent.name
      ? ''
      : `; give this Gateway an address of its own: --listen ${parent.name}:${listener.port}=ADDRESS:PORT`;
  refuse(draft, kind, `${who} has ${what} already${way}`);
}

function refuse(draft: ListenerDraft, kind: Conflict, message: string): void {
  draft.conflict = { type: 'Conflicted', status: true, reason: kind, message };
}
