import type { AttachedListener } from './model.ts';

/** Which of a table listener's listeners a host name belongs to: the most specific one, and no other even if it has no route for it. */
export class HostnameOwners {
  readonly #byHostname = new Map<string, AttachedListener>();
  #hasWildcards = false;

  /** @param listeners In the order in which they count: of two for one name the first has it. */
  constructor(listeners: readonly AttachedListener[]) {
    for (const listener of listeners) {
      const hostname = hostnameOf(listener);
      if (!this.#byHostname.has(hostname)) this.#byHostname.set(hostname, listener);
      if (hostname.startsWith('*.')) this.#hasWildcards = true;
    }
  }

  /** @param hostname Exact, `*.example.com` or `*`: the listener that all it means belong to, as far as no more specific one takes some of them. */
  owner(hostname: string): AttachedListener | undefined {
    const exact = this.#byHostname.get(hostname);
    if (exact !== undefined) return exact;
    for (let dot = this.#hasWildcards ? hostname.indexOf('.') : -1; dot !== -1; dot = hostname.indexOf('.', dot + 1)) {
      const wildcard = this.#byHostname.get(`*${hostname.slice(dot)}`);
      if (wildcard !== undefined) return wildcard;
    }
    return this.#byHostname.get('*');
  }
}

/** Lower case; `*` where it states none. */
export function hostnameOf({ listener }: AttachedListener): string {
  return listener.hostname === undefined || listener.hostname === '' ? '*' : listener.hostname.toLowerCase();
}
