/**
 * Gateways and ListenerSets of the Gateway API as Istio's. One is made for each port, and for each listener of a port that has several: so that a VirtualService is
 * served where its route was. A host `*` of one would meet every narrower host of servers of the same Gateway.
 */
import type { GatewayApiGateway, GatewayApiListener, ListenerSet } from '../../config/gateway-api/types.ts';
import type { Gateway, GatewayServer } from '../../config/resources.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { below, type Changes, spotOf, type Spot } from './changes.ts';

const ISTIO_VERSION = 'networking.istio.io/v1';

export interface IstioGateways {
  readonly resources: readonly Gateway[];
  /** Istio's Gateways by what they were made of and the port: `infra/front:80`. */
  readonly made: ReadonlyMap<string, readonly MadeGateway[]>;
}

export interface MadeGateway {
  /** `namespace/name`. */
  readonly name: string;
  /** What its one server serves, or `*`. */
  readonly host: string;
}

export function istioGateways(snapshot: Snapshot, changes: Changes): IstioGateways {
  const resources: Gateway[] = [];
  const made = new Map<string, MadeGateway[]>();
  for (const gateway of snapshot.gatewayApiGateways) {
    const { namespace, name } = gateway.metadata;
    const sets = snapshot.listenerSets.filter(
      ({ metadata, spec }) => spec.parentRef.name === name && (spec.parentRef.namespace ?? metadata.namespace) === namespace,
    );
    const byPort = new Map<number, GatewayServer[]>();
    for (const owner of [gateway, ...sets]) {
      for (const [index, listener] of owner.spec.listeners.entries()) {
        const server = istioServer(gateway, owner, listener, spotOf(owner, `spec.listeners[${index}]`), changes);
        if (server === undefined) continue;
        const same = byPort.get(listener.port);
        if (same === undefined) byPort.set(listener.port, [server]);
        else same.push(server);
      }
    }
    for (const [port, servers] of byPort) {
      const base = byPort.size === 1 ? name : `${name}-${port}`;
      const key = `${namespace}/${name}:${port}`;
      for (const server of servers) {
        const own = servers.length === 1 ? base : `${name}-${server.name ?? port}`;
        const [host = '*'] = server.hosts;
        made.set(key, [...(made.get(key) ?? []), { name: `${namespace}/${own}`, host: host.slice(host.indexOf('/') + 1).toLowerCase() }]);
        const { labels } = gateway.metadata;
        resources.push({
          apiVersion: ISTIO_VERSION,
          kind: 'Gateway',
          metadata: { name: own, namespace, ...(labels === undefined ? {} : { labels }) },
          spec: { selector: { istio: 'ingressgateway' }, servers: [server] },
          origin: gateway.origin,
        });
      }
    }
    sayWhatIsLost(gateway, changes);
  }
  return { resources, made };
}

function sayWhatIsLost(gateway: GatewayApiGateway, changes: Changes): void {
  const { addresses = [], tls } = gateway.spec;
  const spot = spotOf(gateway, 'spec');
  if (addresses.length > 0) changes.omitted(below(spot, 'addresses'), 'addresses are those of the Pods that the selector finds');
  if (tls?.backend !== undefined)
    changes.omitted(below(spot, 'tls.backend'), 'no certificate is shown to backends: a DestinationRule of each would say so');
}

/** `frontend` validation has to be carried over or the listener is not: without it everybody would be let in. */
function istioServer(
  gateway: GatewayApiGateway,
  owner: GatewayApiGateway | ListenerSet,
  listener: GatewayApiListener,
  spot: Spot,
  changes: Changes,
): GatewayServer | undefined {
  const { name, hostname = '*', port, protocol, tls } = listener;
  const leftOut = (reason: string): undefined => {
    changes.leftOut(spot, `the listener is left out: ${reason}`);
    return undefined;
  };
  if (!['HTTP', 'HTTPS', 'TLS'].includes(protocol)) return leftOut(`protocol ${protocol} has no equivalent here`);
  const { frontend } = gateway.spec.tls ?? {};
  const validation = frontend?.perPort?.find((each) => each.port === port)?.tls.validation ?? frontend?.default.validation;
  if (protocol === 'HTTPS' && validation !== undefined)
    return leftOut('its client certificates are verified with a ConfigMap, for which Istio has a Secret of its own');
  if (protocol === 'TLS' && tls?.mode !== 'Passthrough') return leftOut('TLS that ends here with no HTTP inside has no equivalent');
  const number = { number: port, protocol, name };
  const { from = 'Same', selector } = listener.allowedRoutes?.namespaces ?? {};
  const scoped = {
    hosts: [`${from === 'All' ? '' : namespaceScope(owner, from, selector?.matchLabels, spot, changes)}${hostname}`],
    port: number,
    name,
  };
  if (protocol === 'HTTP') return scoped;
  if (tls?.mode === 'Passthrough') return { ...scoped, tls: { mode: 'PASSTHROUGH' } };
  const references = tls?.certificateRefs ?? [];
  const [first, second, ...others] = references;
  if (first === undefined) return leftOut('it has no certificate');
  if (others.length > 0) changes.omitted(below(spot, 'tls.certificateRefs'), 'of more than two certificates the first two are shown');
  const foreign = references.find(({ namespace = owner.metadata.namespace }) => namespace !== gateway.metadata.namespace);
  if (foreign !== undefined) {
    changes.differs(
      below(spot, 'tls.certificateRefs'),
      `the Secret ${foreign.name} is looked for in ${gateway.metadata.namespace}, where the Gateway is`,
    );
  }
  const credential = second === undefined ? { credentialName: first.name } : { credentialNames: [first.name, second.name] };
  return { ...scoped, tls: { mode: 'SIMPLE', ...credential } };
}

function namespaceScope(
  owner: GatewayApiGateway | ListenerSet,
  from: string,
  labels: Readonly<Record<string, string>> | undefined,
  spot: Spot,
  changes: Changes,
): string {
  const named = labels?.['kubernetes.io/metadata.name'];
  if (from === 'Selector' && named !== undefined && Object.keys(labels ?? {}).length === 1) return `${named}/`;
  if (from === 'Same') return owner.kind === 'ListenerSet' ? `${owner.metadata.namespace}/` : './';
  changes.differs(
    below(spot, 'allowedRoutes'),
    'VirtualServices of every namespace may be served: namespaces cannot be selected by labels',
  );
  return '';
}
