/** Texts to the documents in them: what kind each is, its name, and its fields. `kind: List` is taken apart. */
import type { Diagnostic } from '../base/diagnostic.ts';
import { nowhere, type Source } from '../config/read-source.ts';
import type { Locate } from '../config/report.ts';
import { offsetAt, type Path, toPlain, type YamlNode } from '../config/yaml-node.ts';
import { parseYaml } from '../config/yaml.ts';
import { Field } from './field.ts';

export interface ForeignDocument {
  /** `flagger.app`; empty for Kubernetes' core. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly name: string;
  /** As written; undefined: none. */
  readonly namespace: string | undefined;
  readonly root: Field;
}

export function readDocuments(sources: readonly Source[], diagnostics: Diagnostic[]): readonly ForeignDocument[] {
  return sources.flatMap((source) => readSource(source, diagnostics));
}

function readSource({ file, content }: Source, diagnostics: Diagnostic[]): readonly ForeignDocument[] {
  const { lines, documents, problems } = parseYaml(content);
  for (const { offset, severity, code, message, hint } of problems) {
    diagnostics.push({
      ...nowhere(file),
      ...lines.position(offset),
      code,
      severity,
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  return documents
    .flatMap((document) => itemsOf(document))
    .flatMap((node) => {
      const locate: Locate = (path: Path, at) => ({ origin: { file, ...lines.position(offsetAt(node, path, at)) }, path });
      return readNode(toPlain(node), locate, diagnostics);
    });
}

function itemsOf(node: YamlNode): readonly YamlNode[] {
  const items = node.type === 'map' ? node.entries.get('items')?.value : undefined;
  return items?.type === 'seq' ? items.items.flatMap(itemsOf) : [node];
}

function readNode(value: unknown, locate: Locate, diagnostics: Diagnostic[]): readonly ForeignDocument[] {
  const text = (...path: readonly string[]): string => {
    const found = path.reduce<unknown>(
      (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
      value,
    );
    return typeof found === 'string' ? found : '';
  };
  const apiVersion = text('apiVersion');
  const kind = text('kind');
  const name = text('metadata', 'name');
  const namespace = text('metadata', 'namespace');
  const root = Field.root(value, { kind, namespace: namespace === '' ? 'default' : namespace, name }, locate, diagnostics);
  if (apiVersion === '' || kind === '' || name === '') {
    root.error(
      'E_REQUIRED',
      'expected apiVersion, kind and metadata.name',
      'the import reads whole resources, as kubectl get -o yaml prints them',
    );
    return [];
  }
  const slash = apiVersion.indexOf('/');
  return [
    {
      group: slash === -1 ? '' : apiVersion.slice(0, slash),
      version: apiVersion.slice(slash + 1),
      kind,
      name,
      namespace: namespace === '' ? undefined : namespace,
      root,
    },
  ];
}

/** What every document has and nothing follows from. */
export function ignoreHead({ root }: ForeignDocument): void {
  for (const key of ['apiVersion', 'kind', 'status']) root.at(key).ignore();
  const metadata = root.at('metadata');
  for (const [key, field] of metadata.entries()) {
    if (key === 'annotations') for (const name of NOISE) field.at(name).ignore();
    else field.ignore();
  }
}

const NOISE = ['kubectl.kubernetes.io/last-applied-configuration', 'deployment.kubernetes.io/revision'];
