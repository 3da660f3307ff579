/** How the requests of a Rollout get to its versions: `trafficRouting`, the Services, and the documents of others that they name. */
import { defined, type Output, type Written } from '../emit.ts';
import type { ForeignDocument } from '../document.ts';
import type { Field } from '../field.ts';
import { serviceRoute, subsetRule, subsetService, type Versions } from '../release.ts';

export interface Traffic {
  readonly versions: Versions;
  readonly outputs: readonly Output[];
}

const HASH_LABEL = 'rollouts-pod-template-hash';
const GATEWAY_PLUGIN = 'argoproj-labs/gatewayAPI';
const USUAL_PORT = 80;

interface Place {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly documents: readonly ForeignDocument[];
}

/** Undefined where something the Rollout needs is not in the files; that is said. */
export function canaryTraffic(canary: Field, place: Place): Traffic | undefined {
  const routing = canary.at('trafficRouting');
  const stable = canary.at('stableService').text();
  const canaryService = canary.at('canaryService').text();
  const services = stable === undefined || canaryService === undefined ? undefined : { stable, canary: canaryService };
  for (const [kind, field] of routing.entries()) {
    if (kind === 'managedRoutes') field.noEquivalent('routes that a release adds come before all others, in the order of its steps');
    else if (!['istio', 'plugins', 'maxTrafficWeight'].includes(kind))
      field.noEquivalent(
        `${kind} is not driven: the Rollout is on an HTTPRoute`,
        'serin import ingress-nginx reads Ingresses; give the HTTPRoute their Gateway and hostnames',
      );
  }
  const plugin = routing.at('plugins', GATEWAY_PLUGIN);
  for (const [kind, field] of routing.at('plugins').entries()) if (kind !== GATEWAY_PLUGIN) field.noEquivalent('there are no plugins');
  if (plugin.isThere) return pluginTraffic(plugin, services, place);
  const istio = routing.at('istio');
  if (istio.isThere) {
    const found = istioTraffic(istio, services, place);
    if (found !== 'by service') return found;
  }
  if (services === undefined) return subsetTraffic(place.name, place.namespace);
  return serviceTraffic(services, place);
}

/** Of a Rollout that has no Services of its own for each version: Pods are told apart by a label. */
export function subsetTraffic(host: string, namespace: string | undefined): Traffic {
  const names = { stable: 'stable', canary: 'canary' };
  return {
    versions: { by: 'subset', host, ...names },
    outputs: [subsetRule(host, namespace, { stable: 'stable', canary: 'canary' }), { document: subsetService(host, namespace, names) }],
  };
}

function serviceTraffic(
  { stable, canary }: { readonly stable: string; readonly canary: string },
  { namespace, documents }: Place,
): Traffic {
  const port = portOf(find(documents, 'Service', stable, namespace));
  return {
    versions: { by: 'route', kind: 'HTTPRoute', route: stable, stable, canary },
    outputs: [
      {
        remarks: [`For calls to the Service ${stable} by its name; with a Gateway in parentRefs, and hostnames, for those from outside.`],
        document: serviceRoute(stable, namespace, { stable, canary, port: port ?? USUAL_PORT }),
      },
    ],
  };
}

function istioTraffic(istio: Field, services: object | undefined, place: Place): Traffic | undefined | 'by service' {
  const rule = istio.at('destinationRule');
  const single = istio.at('virtualService');
  const references = [...(single.isThere ? [single] : []), ...istio.at('virtualServices').items()];
  const virtualServices = references.flatMap((reference) => {
    for (const key of ['routes', 'tlsRoutes', 'tcpRoutes'])
      reference
        .at(key)
        .noEquivalent('every rule that sends to these versions is moved, not some by name; connections that are no HTTP are not moved');
    const [name = '', namespace = place.namespace] = (reference.at('name').text() ?? '').split('.');
    const found = find(place.documents, 'VirtualService', name, namespace);
    if (found === undefined)
      reference.error(
        'E_IMPORT_LEFT_OUT',
        `VirtualService ${name} is not in the files given; the Rollout is left out`,
        'give its file too',
      );
    return found ?? [];
  });
  if (!rule.isThere) {
    if (services === undefined) return 'by service';
    for (const { root } of virtualServices)
      root.noEquivalent('two Services behind one VirtualService are an HTTPRoute here; what else its rules say is to be put there by hand');
    return 'by service';
  }
  const name = rule.at('name').text() ?? '';
  const stable = rule.at('stableSubsetName').text();
  const canary = rule.at('canarySubsetName').text();
  rule.at('additionalSubsetNames').noEquivalent('a release has one stable version and the canaries it names');
  const found = find(place.documents, 'DestinationRule', name, rule.at('namespace').text() ?? place.namespace);
  const host = found?.root.at('spec', 'host').text();
  if (found === undefined || host === undefined || stable === undefined || canary === undefined) {
    rule.error(
      'E_IMPORT_LEFT_OUT',
      `DestinationRule ${name} with two subsets is not in the files given; the Rollout is left out`,
      'give its file too',
    );
    return undefined;
  }
  if (virtualServices.length < references.length) return undefined;
  const passed = [...new Set(virtualServices)].map((document) => ({ document: passOn(document) }));
  return {
    versions: { by: 'subset', host, stable, canary },
    outputs: [
      {
        remarks: [`Label the Pods version: ${stable} and ${canary}; Argo told them apart by a label it made.`],
        document: withVersions(passOn(found), [stable, canary]),
      },
      ...passed,
    ],
  };
}

/** Argo writes a hash of its own into both subsets; without it they would be the same. */
function withVersions(rule: Written, names: readonly string[]): Written {
  const spec = rule['spec'] as {
    readonly subsets?: readonly { readonly name: string; readonly labels?: Readonly<Record<string, string>> }[];
  };
  const subsets = (spec.subsets ?? []).map((subset) => {
    if (!names.includes(subset.name)) return subset;
    const { [HASH_LABEL]: _hash, ...labels } = subset.labels ?? {};
    return { ...subset, labels: 'version' in labels ? labels : { ...labels, version: subset.name } };
  });
  return { ...rule, spec: { ...spec, subsets } };
}

function pluginTraffic(
  plugin: Field,
  services: { readonly stable: string; readonly canary: string } | undefined,
  place: Place,
): Traffic | undefined {
  const namespace = plugin.at('namespace').text() ?? place.namespace;
  const routes = (['HTTPRoute', 'GRPCRoute'] as const).flatMap((kind) => {
    const key = kind === 'HTTPRoute' ? 'httpRoute' : 'grpcRoute';
    const one = plugin.at(key).text();
    const listed = plugin
      .at(`${key}s`)
      .items()
      .flatMap((item) => {
        item.at('useHeaderRoutes').ignore();
        return item.at('name').text() ?? [];
      });
    return [...(one === undefined ? [] : [one]), ...listed].map((name) => ({ kind, name }));
  });
  for (const [key, field] of plugin.entries()) {
    if (/^(?:tcp|tls)Routes?$/.test(key)) field.noEquivalent('connections that are no HTTP are not moved by a release');
    else if (!['namespace', 'httpRoute', 'grpcRoute', 'httpRoutes', 'grpcRoutes'].includes(key)) field.ignore();
  }
  const [route, ...more] = routes;
  if (more.length > 0)
    plugin.differs(
      `a Rollout moves one route: ${more.map(({ name }) => name).join(', ')} stay as they are`,
      'write a Rollout for each, with requires: between them',
    );
  const found = route === undefined ? undefined : find(place.documents, route.kind, route.name, namespace);
  if (route === undefined || found === undefined || services === undefined) {
    plugin.error(
      'E_IMPORT_LEFT_OUT',
      services === undefined
        ? 'stableService and canaryService have to be named; the Rollout is left out'
        : `${route?.kind ?? 'HTTPRoute'} ${route?.name ?? ''} is not in the files given; the Rollout is left out`,
      'give its file too',
    );
    return undefined;
  }
  return { versions: { by: 'route', kind: route.kind, route: route.name, ...services }, outputs: [{ document: passOn(found) }] };
}

/** A document of Istio or the Gateway API as it stands, without what an API server has added. */
function passOn({ root, name, namespace }: ForeignDocument): Written {
  root.take();
  const value = root.peek() as Readonly<Record<string, unknown>>;
  const labels = root.at('metadata', 'labels').peek();
  return {
    apiVersion: String(value['apiVersion']),
    kind: String(value['kind']),
    metadata: defined({ name, namespace, labels }) as Written['metadata'],
    spec: value['spec'],
  };
}

function find(
  documents: readonly ForeignDocument[],
  kind: string,
  name: string,
  namespace: string | undefined,
): ForeignDocument | undefined {
  return documents.find(
    (document) => document.kind === kind && document.name === name && (document.namespace ?? 'default') === (namespace ?? 'default'),
  );
}

function portOf(service: ForeignDocument | undefined): number | undefined {
  const ports = service?.root.at('spec', 'ports').peek();
  const first: unknown = Array.isArray(ports) ? ports[0] : undefined;
  const port: unknown = typeof first === 'object' && first !== null && 'port' in first ? first.port : undefined;
  return typeof port === 'number' ? port : undefined;
}
