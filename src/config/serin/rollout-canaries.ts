/** Which versions a Rollout releases, and what it may say about several of them. */
import { nearest } from '../../base/nearest.ts';
import { isDns1123Label } from '../names.ts';
import { show, type Place } from '../report.ts';
import { canariesOf, MAX_CANARIES, type RolloutSpec, type RolloutStep } from './rollout-spec.ts';

export function checkCanaries(spec: RolloutSpec, place: Place, isWhole: boolean): void {
  checkNames(spec, place, isWhole);
  const canaries = canariesOf(spec);
  const { canary, blueGreen, ab } = spec.strategy ?? {};
  const steps = place.at('strategy').at('canary').at('steps');
  for (const [index, step] of (canary?.steps ?? []).entries()) checkStep(step, canaries, steps.at(index));
  if (canaries.length < 2) return;
  if (blueGreen !== undefined)
    place
      .at('strategy')
      .at('blueGreen')
      .error('E_ONE_OF', 'blueGreen switches everybody to one version: it cannot have several canaries', 'use canary or ab, or one canary');
  if (ab?.match !== undefined)
    place
      .at('strategy')
      .at('ab')
      .at('match')
      .error('E_ONE_OF', 'an audience gets one version: match cannot go with several canaries', 'use setWeight, which they share');
  if (ab?.setWeight !== undefined) checkSplit(ab.setWeight, canaries, place.at('strategy').at('ab').at('setWeight'));
}

/** What the versions of a Rollout are. */
export function versionWord({ route }: Pick<RolloutSpec, 'route'>): 'subset' | 'Service' {
  return route === undefined ? 'subset' : 'Service';
}

function checkNames(spec: RolloutSpec, place: Place, isWhole: boolean): void {
  const { stable, canary, canaries } = spec;
  const word = versionWord(spec);
  if (canary !== undefined && canaries !== undefined)
    place.at('canaries').error('E_ONE_OF', 'canary and canaries are both set', 'keep canaries: it may have one entry');
  if (isWhole && canary === undefined && canaries === undefined)
    place.at('canary').error('E_REQUIRED', 'canary is required', `name the ${word} that is to be released, or several: canaries: [v3, v4]`);
  if (canaries?.length === 0) place.at('canaries').error('E_REQUIRED', 'canaries is empty', 'canaries: [v3, v4]');
  if (canaries !== undefined && canaries.length > MAX_CANARIES)
    place.at('canaries').error('E_RANGE', `${canaries.length} canaries, at most ${MAX_CANARIES} are allowed`);
  const named = [
    ...(canary === undefined ? [] : [{ subset: canary, at: place.at('canary') }]),
    ...(canaries ?? []).map((subset, index) => ({ subset, at: place.at('canaries').at(index) })),
  ];
  const seen = new Set<string>();
  for (const { subset, at } of named) {
    if (!isDns1123Label(subset))
      at.error('E_NAME', `${word} name ${show(subset)} is not a DNS label`, 'at most 63 lower-case letters, digits and -');
    if (subset === stable) at.error('E_NO_CHANGE', `canary and stable are both ${show(stable)}`, `name the ${word} that is to be released`);
    if (seen.has(subset)) at.error('E_DUPLICATE', `${show(subset)} stands twice`, 'name each version once');
    seen.add(subset);
  }
}

function checkStep({ setWeight, setHeaderRoute, setMirrorRoute, stage }: RolloutStep, canaries: readonly string[], place: Place): void {
  if (setWeight !== undefined) checkSplit(setWeight, canaries, place.at('setWeight'));
  if (stage?.setWeight !== undefined) checkSplit(stage.setWeight, canaries, place.at('stage').at('setWeight'));
  if (setHeaderRoute !== undefined) checkTarget(setHeaderRoute, canaries, place.at('setHeaderRoute'));
  if (setMirrorRoute !== undefined) checkTarget({ match: [], ...setMirrorRoute }, canaries, place.at('setMirrorRoute'));
  if (stage !== undefined) checkTarget(stage, canaries, place.at('stage'));
}

/** Each of them gets a hundredth of a percent at least, or none gets anything. */
function checkSplit(weight: number, canaries: readonly string[], place: Place): void {
  if (canaries.length > 1 && weight > 0 && Math.round(weight * 100) < canaries.length)
    place.error('E_RANGE', `weight ${weight} cannot be split among ${canaries.length} canaries`, `at least ${canaries.length / 100}`);
}

function checkTarget({ match, to }: { readonly match?: unknown; readonly to?: string }, canaries: readonly string[], place: Place): void {
  if (to === undefined) return;
  if (match === undefined) place.at('to').error('E_REQUIRED', 'to needs match: it is where the cohort goes');
  if (canaries.includes(to)) return;
  const close = nearest(to, canaries);
  place
    .at('to')
    .error(
      'E_REF',
      `${show(to)} is not one of the canaries`,
      close === undefined ? `one of ${canaries.join(', ')}` : `did you mean ${close}?`,
    );
}
