/**
 * The routes of one TLS server of a listener, where virtual hosts belong to one (`VirtualHost.tlsSite`): the others' hosts and names are answered 421 on its
 * connections, and its own names without a virtual host 404.
 */
import type { Listener, TlsSite } from '../routing/table.ts';
import type { Message, NamedMessage } from './message.ts';

/** @param whole  Of the listener; its virtual hosts are the ones the table has, in their order. */
export function siteRoutes(whole: NamedMessage, { virtualHosts, tls = [] }: Listener, site: TlsSite | undefined): NamedMessage {
  if (site === undefined || virtualHosts.every(({ tlsSite }) => tlsSite === undefined)) return whole;
  const isOthers = new Map(virtualHosts.map(({ name, tlsSite }) => [name, tlsSite !== undefined && tlsSite !== site.name]));
  const own = (whole['virtual_hosts'] as readonly NamedMessage[]).filter(({ name }) => isOthers.get(name) !== true);
  const domainsOf = (others: boolean): readonly string[] =>
    virtualHosts.filter(({ name }) => isOthers.get(name) === others).flatMap(({ domains }) => domains);
  const served = new Set(domainsOf(false));
  const others = new Set(domainsOf(true).filter((domain) => !served.has(domain)));
  const unserved = site.serverNames.filter((name) => !served.has(name) && !others.has(name));
  for (const name of tls.flatMap(({ serverNames }) => serverNames))
    if (!served.has(name) && !site.serverNames.includes(name)) others.add(name);
  return {
    ...whole,
    virtual_hosts: [
      ...own,
      ...(unserved.length === 0 ? [] : [{ name: `${site.name} not found`, domains: unserved }]),
      ...(others.size === 0 ? [] : [{ name: `${site.name} misdirected`, domains: [...others], routes: [MISDIRECTED] }]),
    ],
  };
}

const MISDIRECTED: Message = { match: { prefix: '/' }, direct_response: { status: 421 } };
