/** What can only be said of a Rollout's metrics with its templates at hand: whether they are there, complete, and make sense together. */
import { nearest } from '../../base/nearest.ts';
import type { Place } from '../report.ts';
import { show } from '../report.ts';
import type { MetricTemplate, Rollout } from '../resources.ts';
import { conditionProblem } from './condition.ts';
import { argumentsOf, combined, findTemplate, metricName, resolveMetric } from './metric-resolve.ts';
import type { MetricUse } from './metric-spec.ts';
import { checkWhole } from './metric-template.ts';
import { outboundUrlProblem } from './outbound-url.ts';

/** @param place Of the Rollout's `spec.analysis.metrics`. */
export function analyzeMetrics(rollout: Rollout, templates: readonly MetricTemplate[], place: Place): void {
  const seen = new Set<string>();
  for (const [index, use] of (rollout.spec.analysis?.metrics ?? []).entries()) {
    const at = place.at(index);
    const name = metricName(use);
    if (seen.has(name)) at.error('E_DUPLICATE', `metric ${show(name)} is given twice`, 'give one of them another name:');
    seen.add(name);
    if (use.template === undefined) checkFilledIn(use, undefined, rollout, at);
    else analyzeTemplate(use, use.template, rollout, templates, at);
  }
}

function analyzeTemplate(use: MetricUse, name: string, rollout: Rollout, templates: readonly MetricTemplate[], place: Place): void {
  const template = findTemplate(templates, rollout, name);
  if (template === undefined) {
    const { namespace } = rollout.metadata;
    const names = templates.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name);
    const close = nearest(name, names);
    const known = names.length === 0 ? `namespace ${namespace} has none` : `there are ${names.slice(0, 10).join(', ')}`;
    place.at('template').error('E_REF', `there is no MetricTemplate ${show(name)}`, close === undefined ? known : `did you mean ${close}?`);
    return;
  }
  const declared = (template.spec.args ?? []).map((argument) => argument.name);
  for (const [index, argument] of (use.args ?? []).entries()) {
    if (declared.includes(argument.name)) continue;
    const close = nearest(argument.name, declared);
    place
      .at('args')
      .at(index)
      .at('name')
      .error(
        'E_REF',
        `MetricTemplate ${name} has no argument ${show(argument.name)}`,
        close === undefined ? `its arguments: ${declared.join(', ') || 'none'}` : `did you mean ${close}?`,
      );
  }
  const given = argumentsOf(use, template);
  const missing = declared.filter((argument) => !given.has(argument));
  if (missing.length > 0)
    place
      .at('args')
      .error(
        'E_REQUIRED',
        `MetricTemplate ${name} needs a value for ${missing.join(' and ')}`,
        `args: [{ name: ${missing[0]}, value: … }]`,
      );
  else {
    checkWhole(combined(use, template.spec), template.spec.provider, place);
    checkFilledIn(use, template, rollout, place);
  }
}

/** Texts that could not be checked before their references were filled in. */
function checkFilledIn(use: MetricUse, template: MetricTemplate | undefined, rollout: Rollout, place: Place): void {
  const metric = resolveMetric(use, template, rollout);
  if (metric === undefined) return;
  const written = JSON.stringify([use, template?.spec]);
  if (!written.includes('{{')) return;
  for (const key of ['successCondition', 'failureCondition'] as const) {
    const condition = metric[key];
    const problem = condition === undefined ? undefined : conditionProblem(condition);
    if (problem !== undefined) place.at(key).error('E_CONDITION', `${show(condition)}: ${problem.message}`, problem.hint);
  }
  const url = metric.provider.prometheus?.address ?? metric.provider.web?.url;
  const problem = url === undefined ? undefined : outboundUrlProblem(url);
  if (problem !== undefined) place.error(problem.code, problem.message, problem.hint);
}
