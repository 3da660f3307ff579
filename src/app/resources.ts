/**
 * `serin apply` and `serin delete`: resources that come over the admin API, checked with the files, made durable and brought into force; all of them or
 * none. What a file declares is the file's: it is refused here. One change at a time, so that processes one waits for are not taken from it.
 */
import type { ApplyResult, ApplyTerms, ManifestsDiff } from '../admin/resource-types.ts';
import { ProblemError } from '../admin/problem.ts';
import { type Diagnostic, formatDiagnostic, hasErrors } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import type { Clock } from '../base/clock.ts';
import { loadConfiguration } from '../config/load.ts';
import {
  type Identity,
  identityOf,
  identityText,
  isSameResource,
  type Manifest,
  manifestFile,
  type SplitResource,
  splitManifests,
} from '../config/manifest.ts';
import { redactedDiagnostic, redactedPair } from '../config/redact.ts';
import { type AnyResource, isClusterScoped, wireKind } from '../config/resources.ts';
import type { HostEnv } from '../config/run-host.ts';
import { wireObject } from '../config/wire-object.ts';
import { ListenError } from '../proxy/options.ts';
import type { Logger } from './logger.ts';
import { writeManifests } from './manifest-state.ts';
import { ConfigError, diagnosticsOf, type InForce, NotReadyError } from './in-force.ts';
import type { Pipeline } from './pipeline.ts';
import { RESOURCE_KINDS, type ResourceKindNames } from './resource-kinds.ts';
import { isNamed, kindsOf, onlyKind } from './resource-view.ts';
import { changeBy } from './audit-table.ts';
import { type State, StateWriteError } from './state.ts';
import { CONTEXT_LINES, hunks, normalised } from './unified-diff.ts';

/** What a request's manifests are called in diagnostics. */
const GIVEN = 'api';

type Result = ApplyResult['results'][number];

interface Planned {
  readonly manifests: readonly Manifest[];
  readonly results: readonly Result[];
  /** Warnings about what was given. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface ResourcesDeps {
  readonly pipeline: Pick<Pipeline, 'inForce' | 'wouldBeWith' | 'changeManifests'>;
  readonly state: State;
  readonly clock: Clock;
  readonly hostEnv: HostEnv;
  readonly logger: Logger;
}

export class Resources {
  readonly #deps: ResourcesDeps;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(deps: ResourcesDeps) {
    this.#deps = deps;
  }

  /** @throws ProblemError 409 (a file has it), 412, 422 with diagnostics, 500, 507 */
  apply(manifests: string, terms: ApplyTerms): Promise<ApplyResult> {
    return this.#change('apply', (now) => this.#plan(now, manifests, terms.by.name), terms);
  }

  /** @param path As in paths. @throws ProblemError 404, 409 (a file has it, or two kinds have it), 412, 422 with diagnostics, 500, 507 */
  delete(path: string, namespace: string, name: string, terms: ApplyTerms): Promise<ApplyResult> {
    const kinds = kindsOf(path);
    return this.#change(
      'delete',
      (now) => {
        const id = deletedId(now, kinds, namespace, name);
        const rest = now.manifests.filter((manifest) => identityText(manifest) !== identityText(id));
        if (rest.length === now.manifests.length) throw notApplied(now, id);
        return { manifests: rest, results: [{ ...wireId(id), result: 'deleted' }], diagnostics: [] };
      },
      terms,
    );
  }

  /** What is declared in force against what is given; what a file declares is compared as well. @throws ProblemError 422 with diagnostics */
  diff(manifests: string): ManifestsDiff {
    const declared = byIdentity(allOf(this.#deps.pipeline.inForce));
    return {
      items: given(manifests).flatMap(({ resource, kind, namespace, name }) => {
        const old = declared.get(identityText({ kind, namespace, name }));
        if (old !== undefined && isSameResource(old, resource)) return [];
        const [before, after] = redactedPair(old && wireObject(old), wireObject(resource));
        const lines = hunks(old === undefined ? '' : normalised(before), normalised(after), CONTEXT_LINES);
        const change = old === undefined ? ('added' as const) : ('changed' as const);
        const heading = [old === undefined ? '--- /dev/null' : '--- in force', '+++ given'];
        return [{ ...wireId({ kind, namespace, name }), change, diff: `${[...heading, ...lines].join('\n')}\n` }];
      }),
    };
  }

  #change(action: 'apply' | 'delete', plan: (now: InForce) => Planned, terms: ApplyTerms): Promise<ApplyResult> {
    const result = this.#tail.then(() => this.#changeNow(action, plan, terms));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #changeNow(action: 'apply' | 'delete', plan: (now: InForce) => Planned, { by, dryRun, ifMatch }: ApplyTerms): Promise<ApplyResult> {
    const { pipeline, state } = this.#deps;
    const before = pipeline.inForce;
    let planned: (Planned & { readonly for: InForce }) | undefined;
    const planFor = (now: InForce): Planned => {
      requireVersion(now, ifMatch);
      if (planned?.for !== now) planned = { ...plan(now), for: now };
      return planned;
    };
    const answer = ({ results, diagnostics }: Planned, version: string, all: readonly Diagnostic[]): ApplyResult => ({
      results: [...results],
      diagnostics: [...diagnostics, ...newIn(before.diagnostics, all)].map(redactedDiagnostic),
      version,
    });
    try {
      const first = planFor(before);
      const isSame = first.results.every(({ result }) => result === 'unchanged');
      if (isSame) return answer(first, before.table.version, before.diagnostics);
      if (dryRun) {
        const would = pipeline.wouldBeWith(first.manifests);
        return answer(first, would.compiled.version, would.diagnostics);
      }
      const persist = (manifests: readonly Manifest[]): void => {
        const changes = (planned ?? first).results
          .filter(({ result }) => result !== 'unchanged')
          .map((id) => changeBy(by, action, identityText(id)));
        writeManifests(state, manifests, changes);
      };
      await pipeline.changeManifests((now) => planFor(now).manifests, persist, by.name);
      const after = pipeline.inForce;
      return answer(planned ?? first, after.table.version, after.diagnostics);
    } catch (error) {
      throw this.#problem(error, action);
    }
  }

  #plan(now: InForce, text: string, by: string): Planned {
    const parts = given(text);
    const ids = new Set(parts.map(identityText));
    const declared = byIdentity(allOf(now));
    const stored = new Map(now.manifests.map((manifest) => [identityText(manifest), manifest]));
    refuseOwned(parts, now);
    const others = now.manifests.filter((manifest) => !ids.has(identityText(manifest)));
    const { hostEnv, clock } = this.#deps;
    const sources = [...now.files.sources, { file: GIVEN, content: text }];
    // What others have wrong is said by the pipeline, which knows what may be left out.
    const checked = loadConfiguration({ ...now.files, sources }, others, hostEnv, clock.nowMs()).diagnostics.filter(
      ({ file }) => file === GIVEN,
    );
    if (hasErrors(checked)) throw new ConfigError(checked);
    const at = new Date(clock.nowMs()).toISOString();
    const results = parts.map((part): Result => {
      const { kind, namespace, name, resource } = part;
      const old = declared.get(identityText(part));
      const isStored = stored.has(identityText(part));
      const isSame = isStored && old !== undefined && isSameResource(old, resource);
      return { ...wireId({ kind, namespace, name }), result: isSame ? 'unchanged' : isStored ? 'configured' : 'created' };
    });
    const changed = new Map(
      parts.flatMap(({ kind, namespace, name, text: own }, index) =>
        results[index]?.result === 'unchanged'
          ? []
          : [[identityText({ kind, namespace, name }), { kind, namespace, name, text: own, by, at }] as const],
      ),
    );
    // In their old places: the order decides merges where no timestamp does.
    const kept = now.manifests.map((manifest) => changed.get(identityText(manifest)) ?? manifest);
    const added = [...changed].flatMap(([id, manifest]) => (stored.has(id) ? [] : [manifest]));
    return { manifests: [...kept, ...added], results, diagnostics: checked };
  }

  #problem(error: unknown, action: string): unknown {
    const { logger } = this.#deps;
    if (error instanceof ConfigError) return invalid(error.diagnostics);
    if (error instanceof NotReadyError)
      return new ProblemError(422, 'E_TARGET_UNHEALTHY', error.message, { hint: 'serin get processes' }, { cause: error });
    if (error instanceof StateWriteError) {
      logger.error({ code: error.code }, `${action} refused: ${error.message}`);
      const hint = 'make space in the state directory and try again';
      return new ProblemError(507, 'E_STATE_WRITE', error.message, { hint }, { cause: error });
    }
    if (error instanceof ListenError) return invalid(diagnosticsOf(error));
    return error;
  }
}

/** Its resources. @throws ProblemError 422 where the text itself is wrong */
function given(text: string): readonly SplitResource[] {
  const { resources, diagnostics } = splitManifests(GIVEN, text);
  if (hasErrors(diagnostics)) throw invalid(diagnostics);
  if (resources.length === 0 && diagnostics.length === 0)
    throw new ProblemError(422, 'E_CONFIG_INVALID', 'there is no resource in what was given', {
      hint: 'write one with apiVersion, kind, metadata and spec, or services: in the short form',
    });
  return resources;
}

function invalid(found: readonly Diagnostic[]): ProblemError {
  const diagnostics = found.map(redactedDiagnostic);
  const errors = diagnostics.filter(({ severity }) => severity === 'error').map(formatDiagnostic);
  const more = errors.length > 1 ? `; and ${errors.length - 1} more` : '';
  return new ProblemError(422, 'E_CONFIG_INVALID', `${errors[0] ?? 'the configuration is invalid'}${more}`, { diagnostics });
}

/** What a request to delete means: of two kinds the one that was applied, else the one that a file has. @throws ProblemError 409 */
function deletedId(now: InForce, kinds: readonly ResourceKindNames[], namespace: string, name: string): Identity {
  const applied = kinds.filter((kind) =>
    now.manifests.some((manifest) => manifest.kind === kind.kind && isNamed(kind, namespace, name)({ metadata: manifest })),
  );
  const { kind } = onlyKind(applied.length > 0 ? applied : kinds, namespace, name, (candidate) => candidate.list(now.base));
  return { kind, namespace: isClusterScoped(kind) ? '' : namespace, name };
}

function wireId({ kind, namespace, name }: Identity): Identity {
  return { kind: wireKind(kind), namespace, name };
}

function requireVersion({ table }: InForce, ifMatch: string | undefined): void {
  if (ifMatch === undefined || ifMatch.trim() === '*') return;
  const accepted = ifMatch.split(',').map((tag) => tag.trim());
  if (accepted.includes(`"${table.version}"`)) return;
  throw new ProblemError(412, 'E_STALE', `the configuration is version "${table.version}", not ${ifMatch}`, {
    hint: 'look at it again and repeat what is still wanted',
    headers: { etag: `"${table.version}"` },
  });
}

function refuseOwned(parts: readonly Identity[], now: InForce): void {
  const owners = byIdentity(allOf(now));
  const owned = parts.flatMap((part) => {
    const owner = owners.get(identityText(part));
    return owner === undefined || owner.origin.file === manifestFile(part) ? [] : [ownedBy(owner)];
  });
  const [first] = owned;
  if (first === undefined) return;
  const more = owned.length > 1 ? `; and ${owned.length - 1} more` : '';
  throw new ProblemError(409, 'E_FILE_OWNED', `${first.message}${more}`, {
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    diagnostics: owned,
  });
}

function ownedBy({ kind, metadata, origin }: AnyResource): Diagnostic {
  const { namespace, name } = metadata;
  return {
    ...origin,
    code: 'E_FILE_OWNED',
    severity: 'error',
    kind: wireKind(kind),
    namespace,
    name,
    path: '',
    message: `${identityText({ kind, namespace, name })} is declared at ${origin.file}:${origin.line}`,
    hint: 'change it there: Serin never writes into files',
  };
}

function notApplied(now: InForce, id: Identity): ProblemError {
  const owner = byIdentity(allOf(now)).get(identityText(id));
  if (owner !== undefined) {
    const diagnostic = ownedBy(owner);
    return new ProblemError(409, 'E_FILE_OWNED', diagnostic.message, { hint: diagnostic.hint, diagnostics: [diagnostic] });
  }
  const same = now.manifests.filter(({ kind }) => kind === id.kind);
  const elsewhere = same.find(({ name }) => name === id.name);
  const close = nearest(
    id.name,
    same.filter(({ namespace }) => namespace === id.namespace).map(({ name }) => name),
  );
  const hint = elsewhere === undefined ? close && `did you mean ${close}?` : `there is one in namespace ${elsewhere.namespace}`;
  return new ProblemError(404, 'E_NOT_FOUND', `no ${identityText(id)} was applied over the admin API`, { hint });
}

function newIn(known: readonly Diagnostic[], all: readonly Diagnostic[]): readonly Diagnostic[] {
  const said = new Set(known.map(formatDiagnostic));
  return all.filter((diagnostic) => !diagnostic.file.startsWith(`${GIVEN}:`) && !said.has(formatDiagnostic(diagnostic)));
}

function allOf({ base }: InForce): readonly AnyResource[] {
  return RESOURCE_KINDS.flatMap((kind) => kind.list(base));
}

function byIdentity(resources: readonly AnyResource[]): ReadonlyMap<string, AnyResource> {
  return new Map(resources.map((resource) => [identityText(identityOf(resource)), resource]));
}
