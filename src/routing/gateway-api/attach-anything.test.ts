/** Random Gateways, ListenerSets and routes, seeded: whatever they say, what is served can be told apart, and nobody takes what is not his. */
import { expect, test } from 'vitest';
import { attached, gateway, httpRoute, listenerSet } from '../../../test/helpers/attached.ts';
import { seededRandom } from '../../base/random.ts';
import { hostCovers } from '../../config/hosts.ts';

const SEED = 20_261_128;

test('whatever is declared, each hostname of a port is one listener’s, and routes are where they may be', () => {
  const random = seededRandom(SEED);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const HOSTS = ['a.com', 'x.a.com', '*.a.com', '*.com', 'b.com'];
  const NAMESPACES = ['default', 'web', 'db'];
  let served = 0;
  let conflicts = 0;
  let kept = 0;
  let refused = 0;
  for (let round = 0; round < 150; round++) {
    let count = 0;
    const listener = (): string => {
      const protocol = pick(['HTTP', 'HTTP', 'HTTP', 'TLS', 'UDP']);
      const hostname = random() < 0.7 && protocol !== 'UDP' ? `, hostname: '${pick(HOSTS)}'` : '';
      const tls = protocol === 'TLS' ? ', tls: { mode: Passthrough }' : '';
      const from = pick(['All', 'Same', 'Selector, selector: { matchLabels: { kubernetes.io/metadata.name: web } }']);
      return `{ name: l${count++}, port: ${pick([80, 81])}, protocol: ${protocol}${hostname}${tls}, allowedRoutes: { namespaces: { from: ${from} } } }`;
    };
    const several = (): string[] => Array.from({ length: 1 + Math.floor(random() * 4) }, listener);
    const gateways = ['one', 'two', 'three'].map((name) =>
      gateway(name, several(), `allowedListeners: { namespaces: { from: ${pick(['All', 'None', 'Same'])} } }`),
    );
    const sets = ['first', 'second'].map((name) =>
      listenerSet(name, several(), pick(NAMESPACES), `name: ${pick(['one', 'two'])}, namespace: default`),
    );
    const routes = Array.from({ length: 8 }, (_, index) => {
      const parent = random() < 0.8 ? `name: ${pick(['one', 'two', 'three'])}, namespace: default` : `kind: ListenerSet, name: first`;
      const hostnames = random() < 0.6 ? `, hostnames: ['${pick(HOSTS)}']` : '';
      const route = httpRoute(`r${index}`, `{ parentRefs: [{ ${parent} }]${hostnames} }`, pick(NAMESPACES));
      return random() < 0.3 ? route.replace('kind: HTTPRoute', 'kind: GRPCRoute') : route;
    });
    const all = attached([...gateways, ...sets, ...routes].join(''));
    const where = `seed ${SEED}, round ${round}`;
    const owners = new Set<string>();
    const speaks = new Map<string, string>();
    for (const { owner, listener: each, tableListener, routes: its } of all.attachments.listeners) {
      served += 1;
      const key = `${tableListener} ${each.hostname ?? '*'}`;
      expect(owners.has(key), `${where}: ${key}`).toBe(false);
      owners.add(key);
      expect(speaks.get(tableListener) ?? each.protocol, `${where}: ${tableListener}`).toBe(each.protocol);
      speaks.set(tableListener, each.protocol);
      const names = its.map(({ route }) => `${route.kind} ${route.metadata.namespace}/${route.metadata.name}`);
      expect(new Set(names).size, `${where}: ${tableListener}`).toBe(names.length);
      for (const { route, hostnames } of its) {
        kept += 1;
        const { from } = each.allowedRoutes?.namespaces ?? {};
        const allowed = from === 'All' || (from === 'Same' ? owner.metadata.namespace : 'web') === route.metadata.namespace;
        expect(allowed, `${where}: ${route.metadata.name} on ${each.name}`).toBe(true);
        for (const host of hostnames) {
          expect(hostCovers(each.hostname ?? '*', host), `${where}: ${tableListener}`).toBe(true);
          expect(
            (route.spec.hostnames ?? ['*']).some((own) => hostCovers(own, host)),
            `${where}: ${tableListener}`,
          ).toBe(true);
        }
        const others = its.filter((other) => other.route.kind !== route.kind).flatMap((other) => other.hostnames);
        expect(
          others.some((other) => hostnames.some((host) => hostCovers(other, host))),
          `${where}: two kinds on ${each.name}`,
        ).toBe(false);
      }
    }
    const texts = Object.values(all.said);
    conflicts += texts.filter((said) => said['Conflicted']?.startsWith('True') === true).length;
    refused += texts.filter((said) => said['Accepted'] === 'False NotAllowedByListeners').length;
    // Whoever is refused says why.
    for (const [name, said] of Object.entries(all.said))
      for (const [type, text] of Object.entries(said))
        if (text.startsWith('False') && type !== 'Conflicted') expect(all.message(name, type), `${where}: ${name} ${type}`).not.toBe('');
  }
  expect(served).toBeGreaterThan(300);
  expect(conflicts).toBeGreaterThan(300);
  expect(kept).toBeGreaterThan(300);
  expect(refused).toBeGreaterThan(100);
});
