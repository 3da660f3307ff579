/** Configuration given beside the one in force: what other files would change, what the overlay would make of them, and what it means for traffic. */
import { isDeepStrictEqual } from 'node:util';
import type { DiffRequest, DiffResult, ResourceChange } from '../admin/api-types.ts';
import { ProblemError } from '../admin/problem.ts';
import { type Diagnostic, formatDiagnostic } from '../base/diagnostic.ts';
import { mergeDelegates } from '../config/delegates.ts';
import { loadTexts } from '../config/load.ts';
import { identityOf, identityText } from '../config/manifest.ts';
import { OVERLAY_ANNOTATION } from '../config/overlay-change.ts';
import { redactedDiagnostic, redactedPair } from '../config/redact.ts';
import { type AnyResource, wireKind } from '../config/resources.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { wireObject } from '../config/wire-object.ts';
import { redactedLine, redactedLines } from '../routing/redacted.ts';
import { tableChanges } from '../routing/table-changes.ts';
import { type Candidate, ConfigError, type Pipeline } from './pipeline.ts';
import { RESOURCE_KINDS } from './resource-kinds.ts';

/** @throws ProblemError 422 `E_CONFIG_INVALID` */
export function diffConfiguration(pipeline: Pick<Pipeline, 'inForce' | 'wouldBe'>, { sources }: DiffRequest): DiffResult {
  const now = pipeline.inForce;
  const then = candidateOf(pipeline, sources);
  const known = new Set(now.diagnostics.map(sameElsewhere));
  return {
    version: now.table.version,
    resources: resourceChanges(byIdentity(allOf(now.base)), byIdentity(allOf(then.base))),
    overlay: overlayChanges(then),
    routing: tableChanges(now.compiled, then.compiled).map((change) => ({
      ...change,
      name: change.name.map(redactedLine),
      before: redactedLines(change.before, change.after, 'before'),
      after: redactedLines(change.after, change.before, 'after'),
    })),
    warnings: then.diagnostics
      .filter((diagnostic) => !known.has(sameElsewhere(diagnostic)))
      .map(redactedDiagnostic)
      .map(formatDiagnostic),
  };
}

function candidateOf(pipeline: Pick<Pipeline, 'inForce' | 'wouldBe'>, sources: DiffRequest['sources']): Candidate {
  try {
    return pipeline.wouldBe(loadTexts(sources, pipeline.inForce.manifests));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const errors = error.diagnostics
      .filter(({ severity }) => severity === 'error')
      .map(redactedDiagnostic)
      .map(formatDiagnostic);
    const more = errors.length > 1 ? `; and ${errors.length - 1} more` : '';
    throw new ProblemError(422, 'E_CONFIG_INVALID', `${errors[0] ?? error.message}${more}`, {}, { cause: error });
  }
}

/** The same problem, wherever the file stands and whatever line it is on. */
function sameElsewhere({ code, kind, namespace, name, path, message }: Diagnostic): string {
  return JSON.stringify([code, kind, namespace, name, path, message]);
}

function allOf(snapshot: Snapshot): readonly AnyResource[] {
  return RESOURCE_KINDS.flatMap((kind) => kind.list(snapshot));
}

function byIdentity(resources: readonly AnyResource[]): ReadonlyMap<string, AnyResource> {
  return new Map(resources.map((resource) => [identityText(identityOf(resource)), resource]));
}

function resourceChanges(before: ReadonlyMap<string, AnyResource>, after: ReadonlyMap<string, AnyResource>): ResourceChange[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((id) => changeOf(before.get(id), after.get(id)) ?? []);
}

/** Resources the overlay changes or adds. Its VirtualServices have their delegates merged, so the files' have them for the comparison as well. */
function overlayChanges({ base, effective }: Candidate): DiffResult['overlay'] {
  const written = byIdentity(allOf({ ...base, virtualServices: mergeDelegates(base.virtualServices) }));
  return [...byIdentity(allOf(effective))].flatMap(([id, resource]) => {
    const by = resource.metadata.annotations?.[OVERLAY_ANNOTATION];
    const change = by === undefined ? undefined : changeOf(written.get(id), resource);
    return by === undefined || change === undefined ? [] : [{ ...change, by }];
  });
}

function changeOf(before: AnyResource | undefined, after: AnyResource | undefined): ResourceChange | undefined {
  const resource = after ?? before;
  if (resource === undefined || (before !== undefined && after !== undefined && isSame(before, after))) return undefined;
  const { kind, metadata } = resource;
  const [old, now] = redactedPair(before && wireObject(before), after && wireObject(after));
  return {
    change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
    kind: wireKind(kind),
    namespace: metadata.namespace,
    name: metadata.name,
    ...(before === undefined || old === undefined ? {} : { before: { origin: originOf(before), object: old } }),
    ...(after === undefined || now === undefined ? {} : { after: { origin: originOf(after), object: now } }),
  };
}

/** The order of keys says nothing; that of lists does. */
function isSame(a: AnyResource, b: AnyResource): boolean {
  return isDeepStrictEqual([a.apiVersion, a.metadata, a.spec], [b.apiVersion, b.metadata, b.spec]);
}

function originOf({ origin }: AnyResource): string {
  return origin.line > 0 ? `${origin.file}:${origin.line}` : '';
}
