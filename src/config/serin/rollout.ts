/** What the shape of a Rollout cannot say: steps in order, one member of each choice, durations, matches, freeze windows. */
import type { z } from 'zod';
import { checkMatchHeaderName } from '../istio/headers.ts';
import { checkStringMatch } from '../istio/string-match.ts';
import { checkDuration, checkHost } from '../istio/values.ts';
import { isDns1123Label, isDns1123Subdomain } from '../names.ts';
import { parseDuration } from '../../base/duration.ts';
import { show, type Place } from '../report.ts';
import { checkApproval, checkPause } from './approval.ts';
import { freezeProblem } from './freeze-window.ts';
import { checkMetricUse } from './metric-template.ts';
import { checkRollback } from './rollback.ts';
import { checkCanaries, versionWord } from './rollout-canaries.ts';
import type { rolloutSchema } from './rollout-schema.ts';
import { type HeaderRouteMatch, type RolloutSpec, type RolloutStage, type RolloutStep, SHORTEST_ANALYSIS_MS } from './rollout-spec.ts';
import { checkWebhooks } from './webhook.ts';

type Parsed = z.infer<typeof rolloutSchema>;

/** More steps than anybody reads are a program's mistake, and each is kept in the state. */
const MAX_STEPS = 100;

const STEP_HINT = 'one of setWeight, pause, setHeaderRoute, setMirrorRoute, analysis, bake, stage';

/** @param isWhole False: fields of a wrong shape have been left out, so that one may seem to be missing. */
export function checkRollout(spec: Parsed, place: Place, isWhole = true): void {
  checkTarget(spec, place, isWhole);
  if (!isDns1123Label(spec.stable))
    place
      .at('stable')
      .error('E_NAME', `${versionWord(spec)} name ${show(spec.stable)} is not a DNS label`, 'at most 63 lower-case letters, digits and -');
  checkCanaries(spec, place, isWhole);
  if (spec.assignment !== undefined) checkAssignment(spec.assignment, place.at('assignment'));
  if (spec.strategy !== undefined) checkStrategy(spec.strategy, place.at('strategy'));
  if (spec.analysis !== undefined) checkAnalysis(spec.analysis, place.at('analysis'));
  checkWebhooks(spec.webhooks, place.at('webhooks'));
  for (const [index, window] of (spec.freeze ?? []).entries()) {
    const problem = freezeProblem(window);
    if (problem !== undefined) place.at('freeze').at(index).error('E_FREEZE', problem.message, problem.hint);
  }
  checkDuration(spec.deadline, place.at('deadline'), 1000);
  checkApproval(spec.approval, place.at('approval'));
  if (spec.rollback !== undefined) checkRollback(spec.rollback, place.at('rollback'));
}

function checkTarget({ host, route }: Parsed, place: Place, isWhole: boolean): void {
  if (host !== undefined && route !== undefined)
    place
      .at('route')
      .error('E_ONE_OF', 'host and route are both set', 'keep host for a service and its subsets, route for a route and its Services');
  if (isWhole && host === undefined && route === undefined)
    place.error(
      'E_REQUIRED',
      'host or route is required',
      'host: the service, as a DestinationRule names it; or route: { name: … } of an HTTPRoute',
    );
  if (host !== undefined) {
    checkHost(host, place.at('host'), false);
    if (host.includes('*')) place.at('host').error('E_HOST', 'a release is of one service: no wildcard', 'name the service');
  }
  if (route === undefined) return;
  if (!isDns1123Subdomain(route.name))
    place
      .at('route')
      .at('name')
      .error('E_NAME', `${show(route.name)} is not a DNS subdomain`, 'the name of the route, in lower case');
  if (route.namespace !== undefined && !isDns1123Label(route.namespace))
    place
      .at('route')
      .at('namespace')
      .error('E_NAME', `${show(route.namespace)} is not a DNS label`, 'at most 63 lower-case letters, digits and -');
}

function checkAssignment(assignment: NonNullable<Parsed['assignment']>, place: Place): void {
  const { by, header, cookie, setCookie, sourceAddress } = assignment;
  const keys = (['header', 'cookie', 'setCookie', 'sourceAddress'] as const).filter((key) => assignment[key] !== undefined);
  if (by === 'request') {
    for (const key of keys) place.at(key).error('E_ONE_OF', `${key} needs by: user`, 'by request, every request is drawn on its own');
    return;
  }
  if (header === undefined && cookie === undefined && sourceAddress !== true)
    place.error('E_REQUIRED', 'by: user needs what names a user', 'add header:, cookie: or sourceAddress: true');
  if (header !== undefined && !TOKEN.test(header))
    place.at('header').error('E_HEADER_NAME', `${show(header)} is no header name`, 'letters, digits and -, such as end-user');
  if (cookie !== undefined && !TOKEN.test(cookie))
    place.at('cookie').error('E_HEADER_NAME', `${show(cookie)} is no cookie name`, 'letters, digits, - and _');
  if (setCookie !== undefined && cookie === undefined) place.at('setCookie').error('E_REQUIRED', 'setCookie needs cookie, its name');
  if (setCookie !== undefined && sourceAddress === true)
    place.at('setCookie').warn('W_INEFFECTIVE', 'every request has a source address, so the cookie is never set');
  checkDuration(setCookie?.maxAge, place.at('setCookie').at('maxAge'), 1000);
}

/** RFC 9110 token: header and cookie names. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

function checkStrategy(strategy: NonNullable<Parsed['strategy']>, place: Place): void {
  const chosen = (['canary', 'blueGreen', 'ab'] as const).filter((key) => strategy[key] !== undefined);
  if (chosen.length !== 1)
    place.error(
      'E_ONE_OF',
      chosen.length === 0 ? 'strategy is empty' : `a strategy cannot be ${chosen.join(' and ')}`,
      'keep one of canary, blueGreen and ab',
    );
  if (strategy.canary !== undefined) {
    const { steps, ramp, scaleDownDelay } = strategy.canary;
    checkDuration(scaleDownDelay, place.at('canary').at('scaleDownDelay'), 0);
    if ((steps === undefined) === (ramp === undefined))
      place.at('canary').error('E_ONE_OF', 'canary needs exactly one of steps and ramp', 'ramp: auto chooses the weights itself');
    if (steps !== undefined) checkSteps(steps, place.at('canary').at('steps'));
  }
  if (strategy.blueGreen !== undefined) checkBlueGreen(strategy.blueGreen, place.at('blueGreen'));
  if (strategy.ab !== undefined) checkAb(strategy.ab, place.at('ab'));
}

function checkSteps(steps: readonly RolloutStep[], place: Place): void {
  if (steps.length === 0)
    place.error('E_CONFIG_STEPS', 'steps is empty', 'add steps, or remove strategy: the default is a canary by evidence');
  if (steps.length > MAX_STEPS) place.error('E_CONFIG_STEPS', `${steps.length} steps, at most ${MAX_STEPS} are allowed`);
  let weight: number | undefined;
  for (const [index, step] of steps.entries()) {
    const at = place.at(index);
    const chosen = Object.keys(step);
    if (chosen.length !== 1) {
      at.error('E_CONFIG_STEPS', chosen.length === 0 ? 'step is empty' : `a step cannot be ${chosen.join(' and ')}`, STEP_HINT);
      continue;
    }
    weight = checkStep(step, weight, at);
  }
  if (steps.length > 0 && weight !== 100)
    place.warn(
      'W_CONFIG_STEPS',
      `the last weight is ${weight ?? 0}: after the last step everybody moves to the canary at once`,
      'end with - setWeight: 100',
    );
}

/** @returns The weight after the step; undefined while none was set. */
function checkStep(step: RolloutStep, before: number | undefined, place: Place): number | undefined {
  if (step.stage !== undefined) return checkStage(step.stage, before, place.at('stage'));
  if (step.setWeight !== undefined) return checkWeight(step.setWeight, before, place.at('setWeight'));
  if (step.pause !== undefined) checkDuration(step.pause.duration, place.at('pause').at('duration'));
  checkPause(step.pause, place.at('pause'));
  if (step.bake !== undefined) {
    checkDuration(step.bake.duration, place.at('bake').at('duration'));
    if (before !== 100)
      place
        .at('bake')
        .error('E_CONFIG_STEPS', `bake follows setWeight: 100, found weight ${before ?? 0}`, 'use pause: { duration: … } here');
  }
  if (step.setHeaderRoute !== undefined) {
    const { name, match } = step.setHeaderRoute;
    const at = place.at('setHeaderRoute');
    if (name !== undefined && !isDns1123Label(name)) at.at('name').error('E_NAME', `route name ${show(name)} is not a DNS label`);
    checkCohort(match, at.at('match'));
  }
  if (step.analysis !== undefined) checkAnalysisStep(step.analysis, before, place.at('analysis'));
  return before;
}

function checkStage(stage: RolloutStage, before: number | undefined, place: Place): number | undefined {
  if (stage.match === undefined && stage.setWeight === undefined)
    place.error(
      'E_CONFIG_STEPS',
      'a stage needs match, setWeight or both',
      'stage: { match: […], setWeight: 5, pause: { duration: 10m } }',
    );
  if (stage.pause !== undefined && stage.analysis !== undefined)
    place.error('E_ONE_OF', 'a stage cannot have both pause and analysis', 'use analysis: { atLeast: 10m }');
  checkCohort(stage.match, place.at('match'));
  const weight = stage.setWeight === undefined ? before : checkWeight(stage.setWeight, before, place.at('setWeight'));
  checkDuration(stage.pause?.duration, place.at('pause').at('duration'));
  checkPause(stage.pause, place.at('pause'));
  if (stage.analysis !== undefined) checkAnalysisStep(stage.analysis, weight, place.at('analysis'));
  return weight;
}

function checkWeight(weight: number, before: number | undefined, place: Place): number {
  if (Math.abs(weight * 100 - Math.round(weight * 100)) > 1e-6)
    place.error('E_RANGE', `weight ${weight} has more than two decimals`, 'the smallest share is 0.01');
  if (before === undefined && weight === 0)
    place.warn('W_CONFIG_STEPS', 'the first weight is 0, as it is anyway', 'begin with setWeight: 1');
  if (before !== undefined && weight <= before)
    place.error('E_CONFIG_STEPS', `weights must grow: ${weight} follows ${before}`, 'only a rollback makes a weight smaller');
  return weight;
}

function checkAnalysisStep(step: NonNullable<RolloutStep['analysis']>, weight: number | undefined, place: Place): void {
  checkDuration(step.atLeast, place.at('atLeast'));
  checkDuration(step.timeout, place.at('timeout'));
  const atLeastMs = step.atLeast === undefined ? SHORTEST_ANALYSIS_MS : parseDuration(step.atLeast);
  const timeoutMs = step.timeout === undefined ? undefined : parseDuration(step.timeout);
  if (atLeastMs !== undefined && timeoutMs !== undefined && timeoutMs < atLeastMs)
    place
      .at('timeout')
      .error(
        'E_CONFIG_RANGE',
        `timeout ${step.timeout} is over before atLeast ${step.atLeast ?? '60s, the default,'} is: the step could never be passed`,
        'a timeout of ten times atLeast leaves time for evidence',
      );
  if (weight === undefined || weight === 0)
    place.error('E_CONFIG_STEPS', 'at weight 0 the canary gets no request that could be compared', 'set a weight before the analysis');
  if (weight === 100)
    place.error('E_CONFIG_STEPS', 'at weight 100 there is no stable version to compare with', 'use bake: { duration: … }');
}

function checkCohort(match: readonly HeaderRouteMatch[] | undefined, place: Place): void {
  if (match === undefined) return;
  if (match.length === 0) place.error('E_REQUIRED', 'match is empty', '- { headerName: end-user, headerValue: { exact: jason } }');
  for (const [index, { headerName, headerValue }] of match.entries()) {
    const at = place.at(index);
    if (!TOKEN.test(headerName)) at.at('headerName').error('E_HEADER_NAME', `${show(headerName)} is no header name`);
    else checkMatchHeaderName(headerName.toLowerCase(), at.at('headerName'));
    if (Object.keys(headerValue).length === 0)
      at.at('headerValue').error('E_STRING_MATCH', 'headerValue is empty', 'give one of exact, prefix and regex');
    checkStringMatch(headerValue, at.at('headerValue'));
  }
}

function checkBlueGreen(strategy: NonNullable<NonNullable<RolloutSpec['strategy']>['blueGreen']>, place: Place): void {
  checkCohort(strategy.preview?.match, place.at('preview').at('match'));
  checkApproval(strategy.approval, place.at('approval'));
  if (strategy.approval !== undefined && strategy.autoPromote === true)
    place.error('E_ONE_OF', 'autoPromote switches by itself, approval asks people', 'keep one of them');
  checkDuration(strategy.autoPromoteAfter, place.at('autoPromoteAfter'));
  checkDuration(strategy.scaleDownDelay, place.at('scaleDownDelay'), 0);
  if (strategy.autoPromoteAfter !== undefined && strategy.autoPromote !== true)
    place.at('autoPromoteAfter').error('E_REQUIRED', 'autoPromoteAfter needs autoPromote: true');
}

function checkAb(strategy: NonNullable<NonNullable<RolloutSpec['strategy']>['ab']>, place: Place): void {
  if ((strategy.match === undefined) === (strategy.setWeight === undefined))
    place.error('E_ONE_OF', 'ab needs exactly one of match and setWeight', 'match: [{ headerName: …, headerValue: … }], or setWeight: 50');
  checkCohort(strategy.match, place.at('match'));
  if (strategy.setWeight !== undefined) {
    checkWeight(strategy.setWeight, undefined, place.at('setWeight'));
    if (strategy.setWeight === 0 || strategy.setWeight === 100)
      place.at('setWeight').error('E_RANGE', `weight of a comparison must be above 0 and below 100, found ${strategy.setWeight}`);
  }
  checkDuration(strategy.duration, place.at('duration'));
}

const TOLERANCES = [
  ['errorTolerance', 'errorBudget'],
  ['latencyTolerance', 'latencyBudget'],
] as const;

/** As rollout/analysis-spec.ts has them; a test holds them together. */
export const DEFAULT_LIMITS = { errorTolerance: 0.001, errorBudget: 0.005, latencyTolerance: 1.1, latencyBudget: 1.2 } as const;

function checkRelax(relax: string | undefined, place: Place): void {
  if (relax === undefined || relax === 'never') return;
  if (parseDuration(relax) === undefined)
    place.error(
      'E_DURATION',
      `expected a duration or never, found ${show(relax)}`,
      'say how long a step may take for the budget, as 45m or 2h',
    );
  else checkDuration(relax, place, 1000);
}

function checkAnalysis(analysis: NonNullable<Parsed['analysis']>, place: Place): void {
  checkDuration(analysis.warmup, place.at('warmup'), 0);
  for (const [index, use] of (analysis.metrics ?? []).entries()) checkMetricUse(use, place.at('metrics').at(index));
  checkRelax(analysis.relax, place.at('relax'));
  for (const [tolerance, budget] of TOLERANCES) {
    const low = analysis[tolerance] ?? DEFAULT_LIMITS[tolerance];
    const high = analysis[budget] ?? DEFAULT_LIMITS[budget];
    if ((analysis[tolerance] !== undefined || analysis[budget] !== undefined) && low >= high)
      place
        .at(analysis[tolerance] === undefined ? budget : tolerance)
        .error('E_CONFIG_RANGE', `${tolerance} ${low} must be below ${budget} ${high}`, 'tolerate less than what is to be ruled out');
  }
}
