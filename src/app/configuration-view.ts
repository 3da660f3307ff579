/** What is in force and where it comes from, for those who look at the configuration as a whole. */
import type { ApiObject } from '../admin/api-types.ts';
import type { Configuration, Origin, ResourceSource } from '../admin/resource-types.ts';
import { mergeDelegates } from '../config/delegates.ts';
import { isGatewayApiKind } from '../config/gateway-api/read.ts';
import { type Identity, identityOf, identityText, type Manifest, manifestFile } from '../config/manifest.ts';
import { OVERLAY_ANNOTATION } from '../config/overlay-change.ts';
import { redacted, redactedDiagnostic, redactedText } from '../config/redact.ts';
import { type AnyResource, wireKind } from '../config/resources.ts';
import { wireObject } from '../config/wire-object.ts';
import { documentAt } from '../config/yaml-text.ts';
import { isTrouble, statusKey } from '../routing/gateway-api/status.ts';
import { timedGroups } from './condition-times.ts';
import { differencesOf } from './differences.ts';
import type { InForce } from './in-force.ts';
import type { Pipeline } from './pipeline.ts';
import { pathName, RESOURCE_KINDS, type ResourceKindNames } from './resource-kinds.ts';
import { isNamed, kindsOf, missing, onlyKind } from './resource-view.ts';

export function configurationOf({ inForce, lastReload, refused }: Pick<Pipeline, 'inForce' | 'lastReload' | 'refused'>): Configuration {
  const counts = new Map<string, number>();
  for (const diagnostic of inForce.diagnostics) {
    const id = identityText(diagnostic);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const manifests = new Map(inForce.manifests.map((manifest) => [manifestFile(manifest), manifest]));
  return {
    version: inForce.table.version,
    at: instant(inForce.sinceMs),
    reload: { successful: lastReload.successful, at: instant(lastReload.atMs) },
    diagnostics: inForce.diagnostics.map(redactedDiagnostic),
    refused: refused === undefined ? null : { at: instant(refused.atMs), diagnostics: refused.diagnostics.map(redactedDiagnostic) },
    resources: RESOURCE_KINDS.flatMap((kind) => resourcesOf(kind, inForce, manifests, counts)),
  };
}

function resourcesOf(
  kind: ResourceKindNames,
  { base, effective }: InForce,
  manifests: ReadonlyMap<string, Manifest>,
  counts: ReadonlyMap<string, number>,
): Configuration['resources'] {
  const overlaid = new Map(kind.list(effective).flatMap((resource) => overlaidBy(resource)));
  const declared = kind.list(base);
  const ids = new Set(declared.map((resource) => identityText(identityOf(resource))));
  const added = kind.list(effective).filter((resource) => !ids.has(identityText(identityOf(resource))));
  return [...declared, ...added].map((resource) => {
    const { namespace, name } = resource.metadata;
    const id = identityText(identityOf(resource));
    const by = overlaid.get(id);
    return {
      kind: pathName(kind),
      apiKind: `${resource.apiVersion} ${wireKind(resource.kind)}`,
      namespace,
      name,
      origin: by !== undefined && !ids.has(id) ? { overlay: true, by } : originOf(resource, manifests),
      overlaid: by !== undefined,
      diagnostics: counts.get(id) ?? 0,
    };
  });
}

function overlaidBy(resource: AnyResource): [string, string][] {
  const by = resource.metadata.annotations?.[OVERLAY_ANNOTATION];
  return by === undefined ? [] : [[identityText(identityOf(resource)), by]];
}

function originOf({ origin }: AnyResource, manifests: ReadonlyMap<string, Manifest>): Origin {
  const manifest = manifests.get(origin.file);
  return manifest === undefined ? { file: origin.file, line: origin.line } : { api: true, by: manifest.by, at: manifest.at };
}

/** @param path As in paths. @throws ProblemError 404 with the nearest name, 409 where two kinds have it */
export function sourceOf(now: InForce, path: string, namespace: string, name: string): ResourceSource {
  const kinds = kindsOf(path);
  const kind = onlyKind(kinds, namespace, name, (candidate) => [...candidate.list(now.base), ...candidate.list(now.effective)]);
  const isIt = isNamed(kind, namespace, name);
  const declared = kind.list(now.base).find(isIt);
  const effective = kind.list(now.effective).find(isIt);
  const place = declared ?? effective;
  if (place === undefined) return missing(kinds, now.base, namespace, name);
  const id: Identity = identityOf(place);
  const merged = declared?.kind === 'VirtualService' ? mergeDelegates(now.base.virtualServices).find(isIt) : declared;
  return {
    ...(declared === undefined ? { file: '', line: 0, text: '' } : textOf(declared, now)),
    declared: objectOf(declared),
    effective: objectOf(effective),
    differences: differencesOf(declared, merged, effective, now.overlay),
    conditions: conditionsOf(place, now),
    diagnostics: now.diagnostics.filter((diagnostic) => identityText(diagnostic) === identityText(id)).map(redactedDiagnostic),
  };
}

/** What its status says. */
function conditionsOf({ kind, metadata }: AnyResource, now: InForce): ResourceSource['conditions'] {
  if (!isGatewayApiKind(kind)) return [];
  const key = statusKey({ kind, metadata });
  const status = now.statuses.get(key);
  if (status === undefined) return [];
  return timedGroups(key, status, now.conditionTimes).flatMap(({ about, conditions }) =>
    conditions.map((condition) => ({ about, isTrouble: isTrouble(condition), ...condition })),
  );
}

/** The document a resource stands in. */
function textOf({ origin }: AnyResource, { files, manifests }: InForce): Pick<ResourceSource, 'file' | 'line' | 'text'> {
  const manifest = manifests.find((candidate) => manifestFile(candidate) === origin.file);
  const content = manifest?.text ?? files.sources.find(({ file }) => file === origin.file)?.content ?? '';
  const { line, text } = documentAt(typeof content === 'string' ? content : new TextDecoder().decode(content), origin.line);
  return { file: origin.file, line, text: redactedText(text) };
}

function objectOf(resource: AnyResource | undefined): ApiObject | null {
  if (resource === undefined) return null;
  return redacted(wireObject(resource));
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
