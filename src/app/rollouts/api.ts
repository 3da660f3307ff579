/** What the admin API asks of the rollout engine, with names looked up and refusals turned into problems. */
import type { Actor } from '../../admin/access.ts';
import type { ApiList, ApiObject, Preview, PreviewRequest, RolloutRequest } from '../../admin/api-types.ts';
import type { Evidence } from '../../admin/live-types.ts';
import { ProblemError, type ProblemCode } from '../../admin/problem.ts';
import { nearest } from '../../base/nearest.ts';
import { resolveHost, shortNames } from '../../config/hosts.ts';
import { isDns1123Label } from '../../config/names.ts';
import { routeOfTarget } from '../../config/release-target.ts';
import { serviceIndex } from '../../config/services.ts';
import type { Refusal, Verb } from '../../rollout/verbs.ts';
import type { Pipeline } from '../pipeline.ts';
import { splitOf } from '../splits.ts';
import { StateWriteError } from '../state.ts';
import type { Rollouts, Tracked } from './engine.ts';
import type { AdHocRollout } from './store.ts';
import { issuePreview } from './previews.ts';
import { rolloutObject } from './view.ts';

const PROBLEMS: Readonly<Record<Refusal['refused'], readonly [status: number, code: ProblemCode]>> = {
  conflict: [409, 'E_CONFLICT'],
  approval: [403, 'E_APPROVAL'],
  blocked: [409, 'E_BLOCKED'],
  frozen: [409, 'E_FROZEN'],
  unhealthy: [422, 'E_TARGET_UNHEALTHY'],
  'no-change': [422, 'E_NO_CHANGE'],
};

/** How a request came, beside its body. */
export interface RequestTerms {
  readonly by: Actor;
  readonly idempotencyKey?: string;
  /** The revision it was made for. */
  readonly ifMatch?: string;
}

export class RolloutApi {
  readonly #rollouts: Rollouts;
  readonly #previewKey: Uint8Array;
  readonly #pipeline: Pick<Pipeline, 'inForce'>;

  constructor(rollouts: Rollouts, pipeline: Pick<Pipeline, 'inForce'>, previewKey: Uint8Array) {
    this.#rollouts = rollouts;
    this.#previewKey = previewKey;
    this.#pipeline = pipeline;
  }

  list(namespace: string | undefined): ApiList {
    const items = this.#rollouts
      .list()
      .filter(({ name }) => namespace === undefined || name.startsWith(`${namespace}/`))
      .map((tracked) => rolloutObject(tracked, this.#rollouts.problem));
    return { apiVersion: 'v1', kind: 'List', items };
  }

  /** @throws ProblemError 404 with the nearest name */
  get(namespace: string, name: string): ApiObject {
    return rolloutObject(this.#find(namespace, name) ?? this.#missing(namespace, name), this.#rollouts.problem);
  }

  /** @throws ProblemError 404 with the nearest name */
  evidence(namespace: string, name: string): Evidence {
    return this.#rollouts.evidence(this.#find(namespace, name) ?? this.#missing(namespace, name));
  }

  /** @throws ProblemError 404, 409, 422, 507 */
  preview(namespace: string, name: string, request: PreviewRequest, by: Actor): Preview {
    const found = this.#find(namespace, name) ?? this.#missing(namespace, name);
    return issuePreview(this.#rollouts, this.#previewKey, found, request, by);
  }

  /** @throws ProblemError 404, 409, 412, 422, 507 */
  async act(namespace: string, name: string, verb: Verb, request: RolloutRequest, terms: RequestTerms): Promise<ApiObject> {
    const { full, from } = request;
    const to = typeof request.to === 'string' ? [request.to] : request.to;
    if (full !== undefined && verb !== 'promote' && verb !== 'abort' && verb !== 'undo')
      throw new ProblemError(422, 'E_REQUEST_INVALID', `full goes with promote, abort and undo, not with ${verb}`);
    if (from !== undefined && verb !== 'start') throw new ProblemError(422, 'E_REQUEST_INVALID', `from goes with start, not with ${verb}`);
    if (to !== undefined && verb !== 'start' && verb !== 'promote')
      throw new ProblemError(422, 'E_REQUEST_INVALID', `to goes with start and promote, not with ${verb}`);
    if (to !== undefined && verb === 'promote' && to.length > 1)
      throw new ProblemError(422, 'E_REQUEST_INVALID', `one version is promoted, found ${to.join(', ')}`);
    const chosen = verb === 'promote' ? to?.[0] : undefined;
    const found = this.#find(namespace, name);
    if (terms.ifMatch !== undefined && terms.ifMatch !== '*' && terms.ifMatch !== `"${found?.stored.state.revision ?? ''}"`) {
      const now = found === undefined ? 'there is none' : `it is at revision ${found.stored.state.revision}`;
      throw new ProblemError(412, 'E_STALE', `the rollout has changed since: ${now}, asked for ${terms.ifMatch}`);
    }
    const adHoc =
      found === undefined || found.spec === undefined || found.stored.adHoc !== undefined
        ? this.#adHoc(namespace, name, verb, { to, from }, found)
        : undefined;
    if (from !== undefined && adHoc === undefined)
      throw new ProblemError(
        422,
        'E_REQUEST_INVALID',
        `from is for a host without a Rollout: ${found?.name ?? name} says which version serves`,
        {
          hint: 'leave it out, or change stable in the Rollout',
        },
      );
    const key = found?.name ?? `${namespace}/${shortNames(resolveHost(name, namespace))[0] ?? name}`;
    let refusal: Refusal | undefined;
    try {
      refusal = await this.#rollouts.command(
        key,
        { verb, by: terms.by.name, full: full ?? false, ...(chosen === undefined ? {} : { to: chosen }) },
        {
          actor: terms.by,
          ...(terms.idempotencyKey === undefined ? {} : { key: terms.idempotencyKey }),
          ...(adHoc === undefined ? {} : { adHoc }),
          ...(to === undefined || verb !== 'start' ? {} : { to }),
        },
      );
    } catch (error) {
      if (!(error instanceof StateWriteError)) throw error;
      throw new ProblemError(
        507,
        'E_STATE_WRITE',
        error.message,
        { hint: 'make space in the state directory and try again' },
        { cause: error },
      );
    }
    if (refusal !== undefined) {
      const [status, code] = PROBLEMS[refusal.refused];
      throw new ProblemError(status, code, refusal.reason, { hint: refusal.hint });
    }
    const after = this.#rollouts.find(key);
    return rolloutObject(after ?? this.#missing(namespace, name), this.#rollouts.problem);
  }

  /** By its own name, else by the name of its host or route. */
  #find(namespace: string, name: string): Tracked | undefined {
    const own = this.#rollouts.find(`${namespace}/${name}`);
    if (own !== undefined) return own;
    const host = resolveHost(name, namespace);
    const isIt = (target: string): boolean => {
      const route = routeOfTarget(target);
      return route === undefined ? target === host : route.name === name && route.namespace === namespace;
    };
    return this.#rollouts.list().find((tracked) => isIt(tracked.stored.host));
  }

  #missing(namespace: string, name: string): never {
    const names = this.#rollouts.list().flatMap((tracked) => {
      const [space, own = ''] = tracked.name.split('/');
      return space === namespace ? [own] : [];
    });
    const suggestion = nearest(name, names);
    const known = names.length === 0 ? `there is none in namespace ${namespace}` : `there are ${names.slice(0, 10).join(', ')}`;
    throw new ProblemError(404, 'E_NOT_FOUND', `no Rollout '${name}' in namespace ${namespace}`, {
      hint: suggestion === undefined ? known : `did you mean ${suggestion}?`,
    });
  }

  /** A release of a service that has no Rollout: `--to` beside what serves now. */
  #adHoc(
    namespace: string,
    name: string,
    verb: Verb,
    { to, from }: { readonly to: readonly string[] | undefined; readonly from: string | undefined },
    found: Tracked | undefined,
  ): AdHocRollout | undefined {
    if (verb !== 'start') return found?.stored.adHoc ?? (found === undefined ? this.#missing(namespace, name) : undefined);
    const host = found?.stored.host ?? resolveHost(name, namespace);
    const index = serviceIndex(this.#pipeline.inForce.base);
    const subsets = (index.destinationRule(host)?.subsets ?? []).map((subset) => subset.name);
    if (index.service(host) === undefined) return this.#missing(namespace, name);
    if (to === undefined) {
      if (found?.stored.adHoc !== undefined) return found.stored.adHoc;
      throw new ProblemError(422, 'E_REQUEST_INVALID', `${name} has no Rollout, so the version to release must be named`, {
        hint: `--to one of ${subsets.join(', ') || 'its subsets'}`,
      });
    }
    for (const subset of [...to, ...(from === undefined ? [] : [from])]) {
      if (subsets.includes(subset) && isDns1123Label(subset)) continue;
      const close = nearest(subset, subsets);
      throw new ProblemError(404, 'E_NOT_FOUND', `${host} has no subset '${subset}'`, {
        hint: close === undefined ? `subsets: ${subsets.join(', ') || 'none'}` : `did you mean ${close}?`,
      });
    }
    const stable = from ?? this.#serving(host);
    return { host, stable, canaries: to };
  }

  /** The one subset that gets everything at present. */
  #serving(host: string): string {
    const shares = Object.entries(splitOf(this.#pipeline.inForce.effective, host)).filter(([, weight]) => weight > 0);
    const [only, ...others] = shares;
    if (only !== undefined && others.length === 0) return only[0];
    throw new ProblemError(
      422,
      'E_REQUEST_INVALID',
      shares.length === 0
        ? `no rule sends ${host} to one version`
        : `${shares.map(([subset]) => subset).join(' and ')} share the requests to ${host}`,
      { hint: 'say which one is stable: --from SUBSET' },
    );
  }
}
