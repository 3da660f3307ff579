import { DEFAULT_ANALYSIS } from '../../rollout/analysis-spec.ts';

/**
 * Rollouts' documents of earlier versions, brought up to the present one before they are held against its schema. What is not of the expected shape
 * passes unchanged: the schema says what is wrong with it.
 */

export function upgraded(document: unknown): unknown {
  return withPatience(withCandidates(document));
}

/** Version 1 knew one canary a release. */
function withCandidates(document: unknown): unknown {
  if (!isObject(document) || document['version'] !== 1) return document;
  const { state, adHoc } = document;
  if (!isObject(state)) return document;
  return {
    ...document,
    version: 2,
    state: { ...withCanaries(state), left: [], named: withCanaries(state['named']) },
    ...(adHoc === undefined ? {} : { adHoc: withCanaries(adHoc) }),
  };
}

/** Releases that began when a step relaxed after fixed times. */
function withPatience(document: unknown): unknown {
  if (!isObject(document)) return document;
  const { state } = document;
  if (!isObject(state)) return document;
  const { active, terms } = state;
  return {
    ...document,
    state: {
      ...state,
      ...(active === undefined ? {} : { active: patient(active) }),
      ...(terms === undefined ? {} : { terms: patient(terms) }),
    },
  };
}

function patient(run: unknown): unknown {
  if (!isObject(run) || !isObject(run['analysis']) || !('relaxAfterMs' in run['analysis'])) return run;
  const { relaxAfterMs: _fixed, ...analysis } = run['analysis'];
  return { ...run, analysis: { patienceMs: DEFAULT_ANALYSIS.patienceMs, ...analysis } };
}

function withCanaries(versions: unknown): object | undefined {
  if (!isObject(versions)) return undefined;
  const { canary, ...rest } = versions;
  return { ...rest, canaries: [canary] };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
