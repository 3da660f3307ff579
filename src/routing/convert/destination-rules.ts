/** What DestinationRules say beside subsets: TLS has an equivalent, nothing else does. */
import { type BackendTlsPolicy } from '../../config/gateway-api/types.ts';
import type { ClientTlsSettings, DestinationRule, TrafficPolicy } from '../../config/resources.ts';
import type { Compilation } from '../compilation.ts';
import { below, type Changes, type Spot, spotOf } from './changes.ts';
import { GATEWAY_API_VERSION } from './istio-gateways.ts';
import { type KubernetesServices, labelOf } from './kubernetes-services.ts';

const WITHOUT_EQUIVALENT = ['connectionPool', 'outlierDetection', 'tunnel', 'proxyProtocol', 'retryBudget'] as const;
/** Balancers that are the default anyway. */
const USUAL: ReadonlySet<string> = new Set(['UNSPECIFIED', 'LEAST_REQUEST', 'LEAST_CONN']);

export function convertDestinationRules(
  compilation: Compilation,
  services: KubernetesServices,
  changes: Changes,
): readonly BackendTlsPolicy[] {
  return compilation.snapshot.destinationRules.flatMap((rule): readonly BackendTlsPolicy[] => {
    const { spec, metadata } = rule;
    const spot = spotOf(rule, 'spec');
    sayWhatIsLost(spec.trafficPolicy, below(spot, 'trafficPolicy'), changes);
    for (const [index, subset] of (spec.subsets ?? []).entries()) {
      const at = below(spot, `subsets[${index}].trafficPolicy`);
      sayWhatIsLost(subset.trafficPolicy, at, changes);
      if (subset.trafficPolicy?.tls !== undefined)
        changes.omitted(below(at, 'tls'), 'TLS of one subset is left out: what the whole host says counts');
    }
    const tls = spec.trafficPolicy?.tls;
    const host = compilation.resolve(spec.host, metadata.namespace);
    const policy = tls === undefined ? undefined : tlsPolicy(rule, tls, host, services, changes);
    return policy === undefined ? [] : [policy];
  });
}

function sayWhatIsLost(policy: TrafficPolicy | undefined, spot: Spot, changes: Changes): void {
  if (policy === undefined) return;
  for (const field of WITHOUT_EQUIVALENT) {
    if (policy[field] !== undefined)
      changes.omitted(below(spot, field), `${field} has no equivalent`, 'your implementation may have a policy of its own for it');
  }
  const { simple = 'UNSPECIFIED', ...others } = policy.loadBalancer ?? {};
  if (!USUAL.has(simple) || Object.keys(others).length > 0) {
    changes.omitted(below(spot, 'loadBalancer'), 'how endpoints are chosen has no equivalent: the implementation chooses');
  }
  for (const [index, { port, tls, ...own }] of (policy.portLevelSettings ?? []).entries()) {
    const at = below(spot, `portLevelSettings[${index}]`);
    sayWhatIsLost(own, at, changes);
    if (tls !== undefined)
      changes.omitted(below(at, 'tls'), `TLS of port ${port?.number ?? 0} alone is left out: what the whole host says counts`);
  }
}

/** Of the Services that stand for the host. */
function tlsPolicy(
  { metadata, origin, ...rule }: DestinationRule,
  tls: ClientTlsSettings,
  host: string,
  services: KubernetesServices,
  changes: Changes,
): BackendTlsPolicy | undefined {
  const spot = below(spotOf({ metadata, origin, ...rule }, 'spec'), 'trafficPolicy.tls');
  const { mode = 'DISABLE', sni, subjectAltNames = [], caCertificates, credentialName } = tls;
  if (mode === 'DISABLE') return undefined;
  if (mode === 'ISTIO_MUTUAL') {
    changes.omitted(spot, "ISTIO_MUTUAL is a mesh's own: nothing speaks TLS to the service");
    return undefined;
  }
  const targets = services.allOf(host);
  const [first] = targets;
  if (first === undefined) {
    changes.omitted(spot, `TLS to ${host} is left out: it is no Service that is declared`);
    return undefined;
  }
  const name = labelOf(metadata.name);
  const ca = `${name}-ca`;
  const hasCa = mode === 'MUTUAL' || caCertificates !== undefined || credentialName !== undefined;
  if (hasCa) {
    const from = credentialName === undefined ? (caCertificates ?? 'the CA') : `ca.crt of the Secret ${credentialName}`;
    changes.differs(
      spot,
      `the CA is ca.crt of the ConfigMap ${ca}, which is to be made of ${from}`,
      `kubectl create configmap ${ca} --from-file=ca.crt=FILE -n ${first.namespace}`,
    );
  }
  if (mode === 'MUTUAL')
    changes.omitted(spot, 'no certificate of our own is shown: a Gateway has one for all its backends (spec.tls.backend)');
  if (tls.insecureSkipVerify === true) changes.differs(spot, 'whoever answers is verified: that cannot be left out');
  if (tls.caCrl !== undefined) changes.omitted(below(spot, 'caCrl'), 'revoked certificates have no equivalent');
  return {
    apiVersion: GATEWAY_API_VERSION,
    kind: 'BackendTLSPolicy',
    metadata: { name, namespace: first.namespace },
    spec: {
      targetRefs: targets.map((target) => ({ group: '', kind: 'Service', name: target.name })),
      validation: {
        hostname: sni ?? host,
        ...(hasCa ? { caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: ca }] } : { wellKnownCACertificates: 'System' }),
        ...(subjectAltNames.length === 0
          ? {}
          : {
              subjectAltNames: subjectAltNames.map((text) =>
                text.includes('://') ? ({ type: 'URI', uri: text } as const) : ({ type: 'Hostname', hostname: text } as const),
              ),
            }),
      },
    },
    origin,
  };
}
