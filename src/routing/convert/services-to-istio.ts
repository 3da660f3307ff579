/** Services of Kubernetes as ServiceEntries, and BackendTLSPolicies as DestinationRules. */
import { resolveHost } from '../../config/hosts.ts';
import { declaredServices } from '../../config/kubernetes/services.ts';
import type { DestinationRule, ServiceEntry } from '../../config/resources.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { type Changes, spotOf } from './changes.ts';

const ISTIO_VERSION = 'networking.istio.io/v1';

export function istioServices(snapshot: Snapshot, changes: Changes): readonly (ServiceEntry | DestinationRule)[] {
  const entries = declaredServices(snapshot).map((service): ServiceEntry => {
    const { metadata, origin, spec } = service;
    const { name, namespace } = metadata;
    return {
      apiVersion: ISTIO_VERSION,
      kind: 'ServiceEntry',
      metadata: { name, namespace, ...(metadata.labels === undefined ? {} : { labels: metadata.labels }) },
      spec: { ...spec, location: 'MESH_INTERNAL' },
      origin,
    };
  });
  return [...entries, ...snapshot.backendTlsPolicies.flatMap((policy) => destinationRules(policy, changes))];
}

function destinationRules(policy: Snapshot['backendTlsPolicies'][number], changes: Changes): readonly DestinationRule[] {
  const { metadata, origin, spec } = policy;
  const { caCertificateRefs = [], hostname, subjectAltNames = [] } = spec.validation;
  const [ca] = caCertificateRefs;
  if (ca !== undefined) {
    changes.differs(
      spotOf(policy, 'spec.validation.caCertificateRefs'),
      `the CA is ca.crt of the Secret ${ca.name}, not of a ${ca.kind}`,
      `kubectl create secret generic ${ca.name} --from-file=ca.crt=FILE -n ${metadata.namespace}`,
    );
  }
  return spec.targetRefs.map(({ name, sectionName }, index): DestinationRule => {
    if (sectionName !== undefined) {
      changes.differs(
        spotOf(policy, `spec.targetRefs[${index}].sectionName`),
        `TLS is spoken to every port of ${name}, not to ${sectionName} alone`,
      );
    }
    return {
      apiVersion: ISTIO_VERSION,
      kind: 'DestinationRule',
      metadata: { name: spec.targetRefs.length === 1 ? metadata.name : `${metadata.name}-${name}`, namespace: metadata.namespace },
      spec: {
        host: resolveHost(name, metadata.namespace),
        trafficPolicy: {
          tls: {
            mode: 'SIMPLE',
            sni: hostname,
            ...(ca === undefined ? {} : { credentialName: ca.name }),
            ...(subjectAltNames.length === 0 ? {} : { subjectAltNames: subjectAltNames.map((each) => each.hostname ?? each.uri ?? '') }),
          },
        },
      },
      origin,
    };
  });
}
