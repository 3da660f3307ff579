/**
 * Resources as standard Istio YAML: the way out of Serin. The short form is already expanded; the one convenience Istio does not have, a
 * ServiceEntry host without a dot, is written in full.
 */
import { stringify } from 'yaml';
import { normalizeHost, resolveHost } from './hosts.ts';
import { type AnyResource, isClusterScoped, wireKind } from './resources.ts';

/** One document a resource, in the order given, each ending in a line break. Serin's own kinds are left out: Istio has no such thing. */
export function renderIstio(resources: readonly AnyResource[]): string {
  return renderResources(resources.filter(({ apiVersion }) => !apiVersion.startsWith('serin.dev/')));
}

/** The same of resources of every kind. */
export function renderResources(resources: readonly AnyResource[]): string {
  return resources
    .map((resource) => stringify(standard(resource), { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' }))
    .join('---\n');
}

/** Kinds that have no spec: what they say stands beside their metadata. */
const WITHOUT_SPEC: ReadonlySet<AnyResource['kind']> = new Set(['Secret', 'EndpointSlice', 'ConfigMap']);

function standard(resource: AnyResource): unknown {
  const { apiVersion, kind, metadata } = resource;
  const { namespace: _none, ...unplaced } = metadata;
  const head = { apiVersion, kind: wireKind(kind), metadata: isClusterScoped(kind) ? unplaced : metadata };
  return WITHOUT_SPEC.has(kind) ? { ...head, ...resource.spec } : { ...head, spec: standardSpec(resource) };
}

function standardSpec(resource: AnyResource): AnyResource['spec'] {
  const { namespace } = resource.metadata;
  if (resource.kind === 'ServiceEntry') return { ...resource.spec, hosts: resource.spec.hosts.map((host) => full(host, namespace)) };
  return resource.spec;
}

function full(host: string, namespace: string): string {
  return host.includes('.') || host.includes('*') ? host : resolveHost(normalizeHost(host), namespace);
}
