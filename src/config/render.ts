/**
 * Resources as standard Istio YAML: the way out of Serin. The short form is already expanded; the one convenience Istio does not have, a
 * ServiceEntry host without a dot, is written in full.
 */
import { stringify } from 'yaml';
import { normalizeHost, resolveHost } from './hosts.ts';
import type { AnyResource } from './resources.ts';

/** One document a resource, in the order given, each ending in a line break. Serin's own kinds are left out: Istio has no such thing. */
export function renderIstio(resources: readonly AnyResource[]): string {
  return resources
    .filter(({ kind }) => kind !== 'Rollout')
    .map((resource) => stringify(standard(resource), { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' }))
    .join('---\n');
}

function standard(resource: AnyResource): unknown {
  const { apiVersion, kind, metadata } = resource;
  return { apiVersion, kind, metadata, spec: standardSpec(resource) };
}

function standardSpec(resource: AnyResource): AnyResource['spec'] {
  const { namespace } = resource.metadata;
  if (resource.kind === 'ServiceEntry') return { ...resource.spec, hosts: resource.spec.hosts.map((host) => full(host, namespace)) };
  return resource.spec;
}

function full(host: string, namespace: string): string {
  return host.includes('.') || host.includes('*') ? host : resolveHost(normalizeHost(host), namespace);
}
