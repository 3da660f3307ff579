/** Where the listeners of the configuration in force can be reached, and what is spoken there. */
import type { BoundListener } from '../proxy/options.ts';
import type { Listener } from '../routing/table.ts';
import type { InForce } from './pipeline.ts';

export interface ServedListener extends BoundListener {
  /** `namespace/name` of the Gateways it serves; empty for mesh. */
  readonly gateways: readonly string[];
  readonly scheme: 'http' | 'https' | 'tls' | 'tcp';
}

export function servedListeners({ table, bound }: Pick<InForce, 'table' | 'bound'>): ServedListener[] {
  return bound.map(({ listener, host, port }) => {
    const declared = table.listeners.find(({ name }) => name === listener);
    return { listener, host, port, gateways: declared?.gateways ?? [], scheme: declared === undefined ? 'http' : schemeOf(declared) };
  });
}

export function schemeOf({ tls = [], passthrough, tcp }: Listener): ServedListener['scheme'] {
  if (tcp !== undefined) return 'tcp';
  if (tls.some((site) => site.tcp === undefined)) return 'https';
  return tls.length > 0 || passthrough !== undefined ? 'tls' : 'http';
}
