/** Asks a metric's provider once. Whatever goes wrong is an answer that says so: a measurement never throws. */
import { z } from 'zod';
import { parseDuration } from '../../../base/duration.ts';
import { planCommand, runDirectory } from '../../../config/run-host.ts';
import { select } from '../../../config/serin/json-path.ts';
import type { Metric } from '../../../config/serin/metric-resolve.ts';
import type { CommandProvider, PrometheusProvider, WebProvider } from '../../../config/serin/metric-spec.ts';
import type { Answer } from '../../../rollout/metric-verdict.ts';
import { run } from './command.ts';
import { call } from './http-call.ts';
import { headersOf, type Source } from './secrets.ts';

const HTTP_TIMEOUT_MS = 5000;
const COMMAND_TIMEOUT_MS = 30_000;

export async function ask({ provider, file }: Metric, hostEnv: Source['hostEnv'], signal: AbortSignal): Promise<Answer> {
  const source: Source = { hostEnv, file };
  try {
    if (provider.prometheus !== undefined) return await askPrometheus(provider.prometheus, source, signal);
    if (provider.web !== undefined) return await askWeb(provider.web, source, signal);
    if (provider.command !== undefined) return await askCommand(provider.command, source, signal);
    return { problem: 'it has no provider' };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** https://prometheus.io/docs/prometheus/latest/querying/api/ */
const sample = z.tuple([z.number(), z.string()]);
const prometheusAnswer = z.union([
  z.looseObject({ status: z.literal('error'), errorType: z.string(), error: z.string() }),
  z.looseObject({
    status: z.literal('success'),
    data: z.union([
      z.looseObject({ resultType: z.literal('vector'), result: z.array(z.looseObject({ value: sample.optional() })) }),
      z.looseObject({ resultType: z.literal('scalar'), result: sample }),
      z.looseObject({ resultType: z.enum(['matrix', 'string']) }),
    ]),
  }),
]);

/** A vector is a list of numbers, in Prometheus' order; a scalar a number. As in Argo Rollouts. */
async function askPrometheus(provider: PrometheusProvider, source: Source, signal: AbortSignal): Promise<Answer> {
  const { address, query, timeout } = provider;
  const timeoutMs = timeout === undefined ? HTTP_TIMEOUT_MS : (parseDuration(timeout) ?? HTTP_TIMEOUT_MS);
  const url = new URL(`${address.replace(/\/+$/, '')}/api/v1/query`);
  url.searchParams.set('query', query);
  const answer = await call({ url: url.href, method: 'GET', headers: headersOf(provider, source), timeoutMs, signal });
  const parsed = prometheusAnswer.safeParse(parseJson(answer.body));
  if (!parsed.success) return { problem: `${url.host} answered ${answer.status}, and not as Prometheus does` };
  if (parsed.data.status === 'error') return { problem: `Prometheus says ${parsed.data.errorType}: ${parsed.data.error}` };
  const { data } = parsed.data;
  if (data.resultType === 'scalar') return { value: numberOf(data.result[1]) };
  if (data.resultType !== 'vector')
    return { problem: `the query gives a ${data.resultType === 'matrix' ? 'range of values' : 'text'}, not values of one instant` };
  if (data.result.some(({ value }) => value === undefined))
    return { problem: 'the query gives histograms, not numbers: use histogram_quantile' };
  return { value: data.result.map(({ value }) => numberOf(value?.[1] ?? '')) };
}

/** Go's spelling of numbers. */
function numberOf(text: string): number {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return text.trim() === '' ? Number.NaN : Number(text);
}

async function askWeb(provider: WebProvider, source: Source, signal: AbortSignal): Promise<Answer> {
  const { url, method = 'GET', jsonPath, body, jsonBody, timeout } = provider;
  const headers = headersOf(provider, source);
  const text = jsonBody === undefined ? body : JSON.stringify(jsonBody);
  const answer = await call({
    url,
    method,
    headers: jsonBody === undefined ? headers : { 'content-type': 'application/json', ...headers },
    ...(text === undefined ? {} : { body: text }),
    timeoutMs: timeout === undefined ? HTTP_TIMEOUT_MS : (parseDuration(timeout) ?? HTTP_TIMEOUT_MS),
    signal,
  });
  const { host } = new URL(url);
  if (answer.status >= 300 && answer.status < 400) return { problem: `${host} answered ${answer.status}; redirects are not followed` };
  if (answer.status < 200 || answer.status >= 300) return { problem: `${host} answered ${answer.status}` };
  if (answer.body.trim() === '') return { value: undefined };
  const document = parseJson(answer.body);
  if (document === undefined) return { problem: `${host} answered ${answer.status}, and no JSON` };
  return { value: select(document, jsonPath ?? '$') };
}

async function askCommand(provider: CommandProvider, { hostEnv, file }: Source, signal: AbortSignal): Promise<Answer> {
  const { program, problems } = planCommand(provider, runDirectory(file), hostEnv);
  if (program === undefined) return { problem: problems.map(({ message }) => message).join('; ') };
  const timeoutMs = provider.timeout === undefined ? COMMAND_TIMEOUT_MS : (parseDuration(provider.timeout) ?? COMMAND_TIMEOUT_MS);
  const ran = await run(program, timeoutMs, signal);
  if ('problem' in ran) return ran;
  return { value: parseJson(ran.output) ?? ran.output, exitCode: ran.exitCode, detail: ran.detail };
}

type Json = Parameters<typeof select>[0];

function parseJson(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
