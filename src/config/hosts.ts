/** Host names as Istio resolves and compares them. Everything here is in lower case and without a trailing dot. */

/** The domain of short names; Kubernetes' default cluster domain. */
const CLUSTER_DOMAIN = 'svc.cluster.local';

/**
 * The full name a host in a resource of `namespace` stands for: a name without a dot is a service of that namespace (Istio's rule: the
 * resource's own namespace, not the caller's); names with a dot, wildcards and addresses stay as they are.
 */
export function resolveHost(host: string, namespace: string): string {
  const name = normalizeHost(host);
  if (name === '' || name.includes('.') || name.includes('*') || name.includes(':')) return name;
  return serviceHost(name, namespace);
}

/** The full name of a Service by its name, in which dots mean nothing: where references have to stay in their namespace. */
export function serviceHost(name: string, namespace: string): string {
  return `${name}.${namespace}.${CLUSTER_DOMAIN}`;
}

export function normalizeHost(host: string): string {
  const lower = host.toLowerCase();
  return lower.endsWith('.') && lower !== '.' ? lower.slice(0, -1) : lower;
}

/** Whether a request for `host` is meant by `pattern`: equal, `*`, or a leftmost wildcard (`*.example.com` is not `example.com`). */
export function hostMatches(pattern: string, host: string): boolean {
  return (
    pattern === host || pattern === '*' || (pattern.startsWith('*') && host.length >= pattern.length && host.endsWith(pattern.slice(1)))
  );
}

/** Whether every host that `inner` means is meant by the wildcard `outer` as well. */
export function hostCovers(outer: string, inner: string): boolean {
  if (!outer.startsWith('*')) return outer === inner;
  const suffix = outer.slice(1);
  return inner.startsWith('*') ? inner.slice(1).endsWith(suffix) : hostMatches(outer, inner);
}

/** Whether some host is meant by both. */
export function hostsOverlap(a: string, b: string): boolean {
  return hostCovers(a, b) || hostCovers(b, a);
}

/**
 * Every name callers use for a service: `reviews`, `reviews.default`, `reviews.default.svc`, then the full name. Only the full name for a host
 * that is no service of the cluster domain.
 */
export function shortNames(fqdn: string): readonly string[] {
  const suffix = `.${CLUSTER_DOMAIN}`;
  if (!fqdn.endsWith(suffix) || fqdn.startsWith('*')) return [fqdn];
  const own = fqdn.slice(0, -suffix.length);
  const parts = own.split('.');
  const [name = '', namespace = ''] = parts;
  if (parts.length !== 2) return [fqdn];
  return [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, fqdn];
}

/** Finds overlaps among many hosts in time linear in their number (times their labels). */
export class OverlapIndex {
  /** Exact hosts and wildcards as written. */
  readonly #hosts = new Set<string>();
  /** Every `.suffix` of the hosts so far, with one host that has it: what a new `*.suffix` would cover. */
  readonly #bySuffix = new Map<string, string>();
  /** `.suffix` of the wildcards so far. */
  readonly #wildcards = new Map<string, string>();

  /** An earlier host that means some host that `host` means too, if there is one. `*foo.com` counts as its own name only. */
  add(host: string): string | undefined {
    const earlier = this.find(host);
    this.#hosts.add(host);
    for (const suffix of suffixes(host)) if (!this.#bySuffix.has(suffix)) this.#bySuffix.set(suffix, host);
    if (host.startsWith('*.')) this.#wildcards.set(host.slice(1), host);
    return earlier;
  }

  /** The same without adding it. */
  find(host: string): string | undefined {
    if (this.#hosts.has(host)) return host;
    if (this.#hosts.has('*')) return '*';
    if (host === '*') return this.#hosts.values().next().value;
    for (const suffix of suffixes(host)) {
      const wildcard = this.#wildcards.get(suffix);
      if (wildcard !== undefined) return wildcard;
    }
    return host.startsWith('*.') ? this.#bySuffix.get(host.slice(1)) : undefined;
  }
}

/** `.b.c` and `.c` of `a.b.c`. */
function* suffixes(host: string): Generator<string> {
  for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) yield host.slice(dot);
}
