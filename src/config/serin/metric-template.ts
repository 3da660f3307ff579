/** What the shapes of metrics cannot say: limits that contradict each other, conditions, providers. The same for a template and for a Rollout's own. */
import type { z } from 'zod';
import { parseDuration } from '../../base/duration.ts';
import { splitCommand } from '../command-line.ts';
import { checkMatchHeaderName } from '../istio/headers.ts';
import { checkDuration } from '../istio/values.ts';
import { isDns1123Label } from '../names.ts';
import { show, type Place } from '../report.ts';
import type { EnvValue } from '../resources.ts';
import { checkCommand, checkEnv, looksSecret } from '../run.ts';
import { conditionProblem } from './condition.ts';
import { jsonPathProblem } from './json-path.ts';
import { checkReferences } from './metric-arguments.ts';
import type { metricTemplateSchema, metricUseSchema } from './metric-schema.ts';
import type { HttpAuth, MetricFields, MetricProvider } from './metric-spec.ts';
import { checkOutboundUrl } from './outbound-url.ts';

type ParsedTemplate = z.infer<typeof metricTemplateSchema>;
type ParsedUse = z.infer<typeof metricUseSchema>;

/** Oftener than this a metric says nothing new, and costs its server more than it is worth. */
const MIN_INTERVAL_MS = 1000;
const MIN_TIMEOUT_MS = 10;
const MAX_TIMEOUT_MS = 300_000;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** Headers that decide where a message ends or whom it is for. */
const OWN_HEADERS = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'upgrade', 'expect', 'te', 'trailer']);
const ARGUMENT_NAME = /^[A-Za-z_][-A-Za-z0-9_]{0,62}$/;

export function checkMetricTemplate(spec: ParsedTemplate, place: Place): void {
  checkArguments(spec.args, place.at('args'));
  checkFields(spec, place);
  checkWhole(spec, spec.provider, place);
  checkProvider(spec.provider, place.at('provider'));
  checkReferences(spec, new Set((spec.args ?? []).map(({ name }) => name)), place);
}

/** A metric as a Rollout names it; what its template adds is looked at in `metric-analysis.ts`. */
export function checkMetricUse(use: ParsedUse, place: Place): void {
  if ((use.template === undefined) === (use.provider === undefined))
    place.error(
      'E_ONE_OF',
      'a metric needs exactly one of template and provider',
      '- template: NAME of a MetricTemplate in this namespace',
    );
  if (use.provider !== undefined && use.name === undefined)
    place.at('name').error('E_REQUIRED', 'a metric without a template needs a name');
  if (use.name !== undefined && !isDns1123Label(use.name))
    place.at('name').error('E_NAME', `metric name ${show(use.name)} is not a DNS label`, 'at most 63 lower-case letters, digits and -');
  checkArguments(use.args, place.at('args'));
  checkFields(use, place);
  if (use.provider !== undefined) {
    checkWhole(use, use.provider, place);
    checkProvider(use.provider, place.at('provider'));
    checkReferences(use, new Set((use.args ?? []).map(({ name }) => name)), place);
  }
}

function checkArguments(args: ParsedTemplate['args'], place: Place): void {
  const seen = new Set<string>();
  for (const [index, { name }] of (args ?? []).entries()) {
    const at = place.at(index).at('name');
    if (!ARGUMENT_NAME.test(name))
      at.error('E_NAME', `argument name ${show(name)} is not a word`, 'letters, digits, _ and -, such as service');
    if (seen.has(name)) at.error('E_DUPLICATE', `argument ${show(name)} is given twice`);
    seen.add(name);
  }
}

/** Each field on its own. */
function checkFields(fields: MetricFields, place: Place): void {
  checkInterval(fields.interval, place.at('interval'));
  checkDuration(fields.initialDelay, place.at('initialDelay'), 0);
  if (fields.count !== undefined && fields.count < 1)
    place
      .at('count')
      .error('E_CONFIG_RANGE', `count must be >= 1, found ${fields.count}`, 'leave it out to measure until the release has ended');
  for (const key of ['successCondition', 'failureCondition'] as const) checkCondition(fields[key], place.at(key));
  const { min, max } = fields.thresholdRange ?? {};
  if (fields.thresholdRange !== undefined && min === undefined && max === undefined)
    place.at('thresholdRange').error('E_REQUIRED', 'thresholdRange needs min, max or both');
  if (min !== undefined && max !== undefined && min > max)
    place.at('thresholdRange').error('E_CONFIG_RANGE', `min ${min} is above max ${max}`, 'nothing can be within it');
}

export function checkInterval(interval: string | undefined, place: Place): void {
  checkDuration(interval, place, 0);
  const ms = interval === undefined ? undefined : parseDuration(interval);
  if (ms !== undefined && ms < MIN_INTERVAL_MS) place.error('E_CONFIG_RANGE', `interval must be at least 1s, found ${interval}`);
}

/** @param condition May hold `{{args.NAME}}`; then it is checked once that is filled in. */
export function checkCondition(condition: string | undefined, place: Place): void {
  const problem = condition === undefined || condition.includes('{{') ? undefined : conditionProblem(condition);
  if (problem !== undefined) place.error('E_CONDITION', problem.message, problem.hint);
}

/** Fields together: those of a template with what a Rollout changes, or of a metric that has no template. */
export function checkWhole(fields: MetricFields, provider: MetricProvider, place: Place): void {
  const { interval, count, successCondition, failureCondition, thresholdRange } = fields;
  const hasCondition = successCondition !== undefined || failureCondition !== undefined;
  if (thresholdRange !== undefined && hasCondition)
    place.at('thresholdRange').error('E_ONE_OF', 'thresholdRange takes the place of conditions', 'keep one of them');
  if (provider.command === undefined && thresholdRange === undefined && !hasCondition)
    place.error(
      'E_REQUIRED',
      'no successCondition, failureCondition or thresholdRange: any answer would be a success',
      'successCondition: result[0] <= 0.01',
    );
  if (interval === undefined && (count ?? 1) > 1)
    place.at('count').error('E_REQUIRED', `count ${count ?? 1} needs an interval`, 'interval: 30s');
  const { consecutiveSuccessLimit = 0 } = fields;
  if (count !== undefined && consecutiveSuccessLimit > count)
    place
      .at('consecutiveSuccessLimit')
      .error('E_CONFIG_RANGE', `consecutiveSuccessLimit ${consecutiveSuccessLimit} cannot be reached in ${count} measurements`);
}

function checkProvider(provider: MetricProvider, place: Place): void {
  const { prometheus, web, command } = provider;
  const chosen = Object.keys(provider);
  if (chosen.length !== 1)
    place.error(
      'E_ONE_OF',
      chosen.length === 0 ? 'provider is empty' : `a metric cannot come from ${chosen.join(' and ')}`,
      'one of prometheus, web and command',
    );
  if (prometheus !== undefined) {
    const at = place.at('prometheus');
    checkOutboundUrl(prometheus.address, at.at('address'));
    if (/[?#]/.test(prometheus.address))
      at.at('address').error('E_CONFIG_URL', 'the address of a server has no query and no fragment', 'http://127.0.0.1:9090');
    if (prometheus.query.trim() === '') at.at('query').error('E_CONFIG_URL', 'the query is empty', 'write PromQL');
    checkTimeout(prometheus.timeout, at.at('timeout'));
    checkAuth(prometheus, at);
  }
  if (web !== undefined) {
    const at = place.at('web');
    checkOutboundUrl(web.url, at.at('url'));
    const problem = web.jsonPath === undefined ? undefined : jsonPathProblem(web.jsonPath);
    if (problem !== undefined) at.at('jsonPath').error('E_CONDITION', problem, 'RFC 9535, such as $.data.errorRate');
    if (web.body !== undefined && web.jsonBody !== undefined) at.at('body').error('E_ONE_OF', 'body and jsonBody exclude each other');
    if ((web.body !== undefined || web.jsonBody !== undefined) && (web.method ?? 'GET') === 'GET')
      at.at('method').error('E_ONE_OF', 'a GET has no body', 'method: POST');
    checkTimeout(web.timeout, at.at('timeout'));
    checkAuth(web, at);
  }
  if (command !== undefined) {
    const at = place.at('command');
    checkWords(command.command, at.at('command'));
    for (const [name, value] of Object.entries(command.env ?? {})) checkEnv(name, value, at.at('env').at(name), false);
    checkTimeout(command.timeout, at.at('timeout'));
  }
}

function checkWords(words: readonly string[], place: Place): void {
  const written: unknown = words;
  if (typeof written !== 'string') {
    checkCommand(words, place);
    return;
  }
  const split = splitCommand(written);
  const hint = 'words' in split ? `write [${split.words.map((word) => JSON.stringify(word)).join(', ')}]` : split.hint;
  place.error('E_PROC_COMMAND', `expected a list of words, found a text${'problem' in split ? `: ${split.problem}` : ''}`, hint);
}

export function checkTimeout(timeout: string | undefined, place: Place): void {
  checkDuration(timeout, place, MIN_TIMEOUT_MS);
  if (timeout !== undefined && (parseDuration(timeout) ?? 0) > MAX_TIMEOUT_MS)
    place.error('E_CONFIG_RANGE', `timeout must be at most 5m, found ${timeout}`);
}

export function checkAuth({ headers = [], bearerToken }: HttpAuth, place: Place): void {
  const seen = new Set<string>();
  for (const [index, { key, value }] of headers.entries()) {
    const at = place.at('headers').at(index);
    const name = key.toLowerCase();
    if (!TOKEN.test(key)) at.at('key').error('E_HEADER_NAME', `${show(key)} is no header name`, 'letters, digits and -');
    else checkMatchHeaderName(name, at.at('key'));
    if (OWN_HEADERS.has(name)) at.at('key').error('E_HEADER_FORBIDDEN', `header ${show(key)} is made by Serin`);
    if (seen.has(name) || (name === 'authorization' && bearerToken !== undefined))
      at.at('key').error('E_DUPLICATE', `header ${show(key)} is given twice`);
    seen.add(name);
    checkSecretValue(value, at.at('value'), SECRET_HEADER.test(name));
  }
  if (bearerToken !== undefined) checkSecretValue(bearerToken, place.at('bearerToken'), true);
}

const SECRET_HEADER = /authorization|cookie|token|api-?key|secret|password/;

/** @param isSecret What stands here is one by its place, whatever it looks like. */
export function checkSecretValue(value: EnvValue, place: Place, isSecret: boolean): void {
  if (typeof value !== 'string') {
    if (value.file === '' || value.file.includes('\0')) place.at('file').error('E_SECRET_PATH', 'file is no path');
    return;
  }
  if (hasControl(value)) place.error('E_HEADER_VALUE', 'the value has a control character in it');
  if (value === '') place.error('E_REQUIRED', 'the value is empty');
  else if ((isSecret && !value.includes('${')) || looksSecret('', value))
    place.warn(
      'W_INLINE_SECRET',
      'a secret is written into the file',
      'write { file: PATH }, or ${NAME} and set it where Serin is started',
    );
}

function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if ((code < 32 && code !== 9) || code === 127) return true;
  }
  return false;
}
