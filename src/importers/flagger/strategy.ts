/**
 * `spec.analysis` of a Canary as a strategy. Flagger has three, chosen by what is there: match and iterations are an A/B test, iterations alone
 * blue/green, everything else a canary by weight.
 */
import { parseDuration } from '../../base/duration.ts';
import type { Field } from '../field.ts';
import { durationText, ramp, type Step } from '../release.ts';

const DEFAULT_INTERVAL_MS = 60_000;
/** Flagger takes no shorter interval. */
const SHORTEST_INTERVAL_MS = 10_000;
const MAX_WEIGHT = 100;

export function intervalOf(analysis: Field): number {
  const text = analysis.at('interval').text();
  const ms = text === undefined ? undefined : parseDuration(text);
  return Math.max(SHORTEST_INTERVAL_MS, ms ?? DEFAULT_INTERVAL_MS);
}

/** @param isSkipped Nothing is analysed: everybody at once. */
export function strategyOf(analysis: Field, isSkipped: boolean): Readonly<Record<string, unknown>> {
  const intervalMs = intervalOf(analysis);
  const iterations = analysis.at('iterations').number() ?? 0;
  const mirrors = analysis.at('mirror').flag() === true;
  const mirrorWeight = analysis.at('mirrorWeight').number() ?? MAX_WEIGHT;
  const weights = weightsOf(analysis);
  analysis
    .at('stepWeightPromotion')
    .noEquivalent('there is no second rollout of the primary, so nothing is shifted back', 'the canary becomes stable where it is');
  for (const key of ['primaryReadyThreshold', 'canaryReadyThreshold'])
    analysis.at(key).noEquivalent('Pods are not waited for', 'a version gets requests once it has an endpoint that is ready');
  const match = analysis.at('match');
  if (iterations === 0) match.noEquivalent('without iterations Flagger goes by weight and does not look at it');
  if (isSkipped) return { canary: { steps: [{ setWeight: 100 }] } };
  const whole = durationText(iterations * intervalMs);
  const mirrored = (forMs: number): readonly Step[] =>
    mirrors
      ? [
          { setMirrorRoute: { percentage: mirrorWeight } },
          { pause: { duration: durationText(forMs) } },
          { setMirrorRoute: { percentage: 0 } },
        ]
      : [];
  if (match.isThere && iterations > 0) {
    const cohort = cohortOf(match);
    if (cohort.length > 0) return { ab: { match: cohort, duration: whole, onEnd: 'promote' } };
    match.differs(
      'nothing of the audience can be said by one header, so nobody gets the canary until serin rollout promote',
      'write setHeaderRoute steps by hand',
    );
    return { canary: { steps: [{ pause: {} }, { setWeight: 100 }] } };
  }
  if (iterations > 0) {
    if (mirrors) return { canary: { steps: [...mirrored(iterations * intervalMs), { setWeight: 100 }] } };
    return { blueGreen: { autoPromote: true, autoPromoteAfter: whole } };
  }
  return { canary: { steps: [...mirrored(intervalMs), ...ramp(weights, durationText(intervalMs))] } };
}

function weightsOf(analysis: Field): readonly number[] {
  const listed = analysis
    .at('stepWeights')
    .items()
    .flatMap((item) => item.number() ?? []);
  const step = analysis.at('stepWeight').number();
  const most = Math.min(MAX_WEIGHT, analysis.at('maxWeight').number() ?? MAX_WEIGHT);
  if (listed.length > 0) {
    const growing = listed.filter((weight, index) => weight > Math.max(0, ...listed.slice(0, index)));
    if (growing.length < listed.length)
      analysis.at('stepWeights').differs('weights grow here: those that do not are left out', 'only a rollback makes a weight smaller');
    return growing;
  }
  if (step === undefined || step <= 0) return [];
  return Array.from({ length: Math.floor(most / step) }, (_, index) => (index + 1) * step);
}

/** Audiences in Istio's words as header matches: any of the entries, each of one header. */
function cohortOf(match: Field): readonly object[] {
  return match.items().flatMap((entry) => {
    const others = entry.entries().filter(([key]) => key !== 'headers');
    const headers = entry.at('headers').entries();
    const [only, ...more] = headers;
    if (only === undefined || more.length > 0 || others.length > 0) {
      entry.noEquivalent(
        'a cohort is told by one header; an entry with anything else is left out, so that nobody gets the canary by half of it',
      );
      return [];
    }
    const [headerName, value] = only;
    const headerValue = stringMatch(value);
    return headerValue === undefined ? [] : [{ headerName, headerValue }];
  });
}

/** Istio's exact, prefix and regex, and Flagger's suffix. */
export function stringMatch(value: Field): Readonly<Record<string, string>> | undefined {
  for (const [key, field] of value.entries()) {
    const text = field.text();
    if (text === undefined) continue;
    if (key === 'exact' || key === 'prefix' || key === 'regex') return { [key]: text };
    if (key === 'suffix') return { regex: `.*${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}` };
  }
  value.noEquivalent('expected one of exact, prefix, suffix and regex; the condition is left out');
  return undefined;
}
