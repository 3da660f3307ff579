import { lowerAscii } from './condition.ts';

/**
 * Host to virtual host: exact name, then the longest suffix wildcard, then `*`; with the request's port first, then without it (Envoy
 * RouteMatcher::findVirtualHost; the fallback without port is what Istio gets from listing every name with and without one).
 *
 * A peer chooses the Host, so the cache over it is bounded: at `CACHE_LIMIT` names it is emptied, and a miss costs a few map look-ups.
 */
export class DomainIndex<Value> {
  readonly #exact = new Map<string, Value>();
  /** Suffix after the `*`, by its length: `*-a.example` and `*.example` both work, as in Envoy. */
  readonly #suffixes = new Map<number, Map<string, Value>>();
  #suffixLengths: number[] = [];
  #any: Value | undefined;
  readonly #cache = new Map<string, Value | undefined>();

  /** The first of two equal domains wins; compile() makes none. */
  add(domain: string, value: Value): void {
    if (domain === '*') {
      this.#any ??= value;
    } else if (domain.startsWith('*')) {
      const suffix = domain.slice(1);
      let sameLength = this.#suffixes.get(suffix.length);
      if (sameLength === undefined) {
        sameLength = new Map();
        this.#suffixes.set(suffix.length, sameLength);
        this.#suffixLengths = [...this.#suffixes.keys()].sort((a, b) => b - a);
      }
      if (!sameLength.has(suffix)) sameLength.set(suffix, value);
    } else if (!this.#exact.has(domain)) {
      this.#exact.set(domain, value);
    }
  }

  /** `authority` as received: any case, with or without a port, a trailing dot, or IPv6 brackets. */
  find(authority: string): Value | undefined {
    const cached = this.#cache.get(authority);
    if (cached !== undefined || this.#cache.has(authority)) return cached;
    const found = this.#search(authority);
    if (this.#cache.size >= CACHE_LIMIT) this.#cache.clear();
    // A copy: the caller's string may be a slice that would keep a whole request head alive.
    if (authority.length <= CACHED_NAME_LIMIT) this.#cache.set(Buffer.from(authority, 'latin1').latin1Slice(), found);
    return found;
  }

  #search(authority: string): Value | undefined {
    const { host, port } = splitAuthority(lowerAscii(authority));
    const name = host.endsWith('.') ? host.slice(0, -1) : host;
    if (name === '') return this.#any;
    const nameWithPort = port === '' ? undefined : `${name}:${port}`;
    return (
      (nameWithPort === undefined ? undefined : this.#exact.get(nameWithPort)) ??
      this.#exact.get(name) ??
      (nameWithPort === undefined ? undefined : this.#longestSuffix(nameWithPort)) ??
      this.#longestSuffix(name) ??
      this.#any
    );
  }

  #longestSuffix(name: string): Value | undefined {
    for (const length of this.#suffixLengths) {
      // `*.example` does not match `.example`: the wildcard stands for at least one character.
      if (length >= name.length) continue;
      const value = this.#suffixes.get(length)?.get(name.slice(name.length - length));
      if (value !== undefined) return value;
    }
    return undefined;
  }
}

const CACHE_LIMIT = 1024;

/** A DNS name has at most 253 characters; longer ones are looked up each time. */
const CACHED_NAME_LIMIT = 261;

/**
 * `a.example:80` is `a.example` and `80`; `[::1]:80` is `[::1]` and `80`. The port is the text after the last colon outside brackets, empty when
 * there is none; it is not checked here (the wire format already was).
 */
export function splitAuthority(authority: string): { readonly host: string; readonly port: string } {
  const colon = authority.lastIndexOf(':');
  if (colon === -1 || authority.endsWith(']') || (authority.startsWith('[') && authority.charAt(colon - 1) !== ']')) {
    return { host: authority, port: '' };
  }
  return { host: authority.slice(0, colon), port: authority.slice(colon + 1) };
}
