/**
 * One YAML document to resources: which kind it is, whose metadata, and on to the kind's own rules.
 *
 * Kinds Serin does not use are skipped with a warning. A Kubernetes `List` is taken apart. A document with `services:` and no `kind` is the
 * short form.
 */
import { z } from 'zod';
import type { Diagnostic } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import { checkMetadata } from './metadata.ts';
import { readKind } from './istio/kinds.ts';
import { isGatewayApiKind, readGatewayApi } from './gateway-api/read.ts';
import { GATEWAY_API_GROUP } from './gateway-api/types.ts';
import { readEndpoints } from './kubernetes/endpoints.ts';
import { isKubernetesKind, readKubernetes } from './kubernetes/read.ts';
import { readSecret } from './kubernetes/secret.ts';
import { loadedResource, type LoadedResource } from './loaded.ts';
import { Place, Report, show, type Locate, type ResourceId } from './report.ts';
import { isClusterScoped, type ResourceKind, wireKind } from './resources.ts';
import { readShortForm } from './short-form.ts';
import { nodeAt, offsetAt, toPlain, type LineIndex, type YamlNode, type YamlTree } from './yaml-node.ts';
import { checkShape, unknownKeyHint } from './istio/shape.ts';

interface Group {
  readonly name: string;
  /** Newest first. */
  readonly versions: readonly string[];
  readonly kinds: readonly ResourceKind[];
}

const GROUPS: readonly Group[] = [
  {
    name: 'networking.istio.io',
    versions: ['v1', 'v1beta1', 'v1alpha3'],
    kinds: ['VirtualService', 'DestinationRule', 'Gateway', 'ServiceEntry', 'WorkloadEntry'],
  },
  { name: GATEWAY_API_GROUP, versions: ['v1', 'v1beta1'], kinds: ['GatewayClass', 'GatewayApiGateway', 'HTTPRoute', 'ReferenceGrant'] },
  { name: GATEWAY_API_GROUP, versions: ['v1'], kinds: ['ListenerSet'] },
  { name: GATEWAY_API_GROUP, versions: ['v1', 'v1alpha2'], kinds: ['GRPCRoute'] },
  { name: GATEWAY_API_GROUP, versions: ['v1', 'v1alpha3', 'v1alpha2'], kinds: ['TLSRoute'] },
  { name: GATEWAY_API_GROUP, versions: ['v1', 'v1alpha3'], kinds: ['BackendTLSPolicy'] },
  { name: '', versions: ['v1'], kinds: ['Secret', 'Service', 'Namespace', 'ConfigMap'] },
  { name: 'discovery.k8s.io', versions: ['v1'], kinds: ['EndpointSlice'] },
  { name: 'serin.dev', versions: ['v1alpha1'], kinds: ['Rollout', 'MetricTemplate', 'Notification'] },
];

/** Kinds of the Gateway API that are no slip of another's name, though near one. */
const NOT_CARRIED: ReadonlySet<string> = new Set(['TCPRoute', 'UDPRoute']);

const headSchema = z.looseObject({ apiVersion: z.string(), kind: z.string() });

/** The tree is let go in the end. */
export function readDocument(file: string, tree: YamlTree, lines: LineIndex, loaded: LoadedResource[], diagnostics: Diagnostic[]): void {
  const locate: Locate = (path, at) => ({ origin: { file, ...lines.position(offsetAt(tree.root, path, at)) }, path });
  readTree(file, tree, lines, locate, loaded, diagnostics);
  tree.letGo();
}

function readTree(
  file: string,
  tree: YamlTree,
  lines: LineIndex,
  locate: Locate,
  loaded: LoadedResource[],
  diagnostics: Diagnostic[],
): void {
  const { root } = tree;
  const place = Place.root(new Report({ kind: '', namespace: '', name: '' }, locate, diagnostics));
  if (root.type !== 'map') {
    const found = root.type === 'seq' ? 'a list' : typeof root.value === 'string' ? `the text ${show(root.value)}` : show(root.value);
    place.error(
      'E_TYPE',
      `expected a mapping with apiVersion and kind, or services:, found ${found}`,
      'start the document with apiVersion: and kind:',
    );
    return;
  }
  if (!root.entries.has('kind') && root.entries.has('services')) {
    readShortForm(toPlain(root), locate, loaded, diagnostics);
    return;
  }
  if (isList(root)) {
    const items = nodeAt(root, ['items']);
    if (items === undefined) return;
    if (items.type === 'seq') {
      for (const [index, item] of items.items.entries()) readDocument(file, tree.item(item, index), lines, loaded, diagnostics);
    } else place.at('items').error('E_TYPE', 'expected a list of resources');
    return;
  }
  readResource(toPlain(root), locate, loaded, diagnostics);
}

/** `kind: List` of kubectl, or a list of one kind (`VirtualServiceList`). */
function isList(root: YamlNode): boolean {
  const kind = nodeAt(root, ['kind']);
  return kind?.type === 'scalar' && typeof kind.value === 'string' && kind.value.endsWith('List') && nodeAt(root, ['items']) !== undefined;
}

function readResource(value: unknown, locate: Locate, loaded: LoadedResource[], diagnostics: Diagnostic[]): void {
  const id = idOf(value);
  const report = new Report(id, locate, diagnostics);
  const place = Place.root(report);
  if (!checkShape(headSchema, value, place)) return;
  const slash = value.apiVersion.indexOf('/');
  const group = slash === -1 ? '' : value.apiVersion.slice(0, slash);
  const version = value.apiVersion.slice(slash + 1);
  if (value.apiVersion === 'v1' && value.kind === 'Endpoints') {
    readEndpointsDocument(value, place, loaded, locate);
    return;
  }
  const candidates = GROUPS.filter(({ kinds }) => kinds.some((name) => wireKind(name) === value.kind));
  const known = candidates.find(({ name }) => name === group) ?? candidates.find((candidate) => isSlip(group, candidate));
  const kind = known?.kinds.find((name) => wireKind(name) === value.kind);
  if (known === undefined || kind === undefined) {
    skip(place, value.apiVersion, value.kind, group);
    return;
  }
  if (group !== known.name || !known.versions.includes(version)) {
    const [newest, ...older] = known.versions;
    const also = older.length === 0 ? '' : ` (also ${older.join(', ')})`;
    place
      .at('apiVersion')
      .error('E_API_VERSION', `unknown apiVersion ${show(value.apiVersion)} for ${wireKind(kind)}`, `use ${known.name}/${newest}${also}`);
    return;
  }
  if (kind === 'Secret') {
    readSecretDocument(value, place, loaded, locate);
    return;
  }
  const { apiVersion } = value;
  const { origin } = locate([], 'value');
  if (isKubernetesKind(kind)) {
    const { apiVersion: _version, kind: _kind, metadata: meta, ...rest } = value;
    const metadata = checkMetadata(kind, meta, place.at('metadata'));
    const read = readKubernetes(kind, rest, place);
    if (read !== undefined && metadata !== undefined) loaded.push(loadedResource({ apiVersion, metadata, ...read, origin }, locate));
    return;
  }
  for (const key of Object.keys(value)) {
    if (!['apiVersion', 'kind', 'metadata', 'spec', 'status'].includes(key)) {
      place
        .at(key)
        .keyError('E_UNKNOWN_KEY', `unknown key ${show(key)}`, unknownKeyHint(key, ['apiVersion', 'kind', 'metadata', 'spec', 'status']));
    }
  }
  const metadata = checkMetadata(kind, value['metadata'], place.at('metadata'));
  const spec = value['spec'];
  if (spec === undefined) {
    place.at('spec').error('E_REQUIRED', 'spec is required');
    return;
  }
  const read = isGatewayApiKind(kind)
    ? readGatewayApi(kind, spec, place.at('spec'), version)
    : readKind(kind, spec, place.at('spec'), id, metadata);
  if (read === undefined || metadata === undefined) return;
  loaded.push(loadedResource({ apiVersion, metadata, ...read, origin }, locate));
}

function readSecretDocument(value: z.infer<typeof headSchema>, place: Place, loaded: LoadedResource[], locate: Locate): void {
  const { apiVersion, kind: _secret, metadata: meta, ...rest } = value;
  const metadata = checkMetadata('Secret', meta, place.at('metadata'));
  const spec = readSecret(rest, place);
  if (metadata === undefined || spec === undefined) return;
  loaded.push(loadedResource({ apiVersion, kind: 'Secret', metadata, spec, origin: locate([], 'value').origin }, locate));
}

function readEndpointsDocument(value: z.infer<typeof headSchema>, place: Place, loaded: LoadedResource[], locate: Locate): void {
  const { apiVersion: _version, kind: _endpoints, metadata: meta, ...rest } = value;
  // Endpoints have the name of their Service.
  const metadata = checkMetadata('Service', meta, place.at('metadata'));
  if (metadata === undefined) return;
  const { origin } = locate([], 'value');
  for (const slice of readEndpoints(rest, metadata, place))
    loaded.push(loadedResource({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', ...slice, origin }, locate));
}

/** A known kind in a group that is nearly its own (`networking.istio.oi`), or none at all. */
function isSlip(group: string, known: Group): boolean {
  return group === '' || nearest(group, [known.name]) !== undefined;
}

function skip(place: Place, apiVersion: string, kind: string, group: string): void {
  const close = nearest(
    kind,
    GROUPS.flatMap(({ name, kinds }) => (name === group ? kinds.map(wireKind) : [])),
  );
  const isReal = group === GATEWAY_API_GROUP && NOT_CARRIED.has(kind);
  const hint = isReal ? `Serin does not carry ${kind}s` : close === undefined ? undefined : `did you mean ${close}?`;
  place.at('kind').warn('W_KIND_SKIPPED', `kind ${show(kind)} of ${show(apiVersion)} is not used by Serin and skipped`, hint);
}

/** Who the resource says it is, as far as that can be told before anything is checked. */
function idOf(value: unknown): ResourceId {
  const metadata = stringsOf(value, 'metadata');
  const kind = kindOf(textAt(value, 'apiVersion'), textAt(value, 'kind'));
  const namespace = isClusterScoped(kind) ? '' : textAt(metadata, 'namespace') || 'default';
  return { kind, namespace, name: textAt(metadata, 'name') };
}

/** Ours, where the group has it; else as it is written. */
function kindOf(apiVersion: string, written: string): string {
  const group = GROUPS.find(({ name, kinds }) => apiVersion.startsWith(`${name}/`) && kinds.some((kind) => wireKind(kind) === written));
  return group?.kinds.find((kind) => wireKind(kind) === written) ?? written;
}

function stringsOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

function textAt(value: unknown, key: string): string {
  const found = stringsOf(value, key);
  return typeof found === 'string' ? found : '';
}
