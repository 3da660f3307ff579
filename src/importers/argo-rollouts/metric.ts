/** One metric of an AnalysisTemplate as the `spec` of a MetricTemplate: Serin's words are Argo's here, so most of it stays as it is. */
import { conditionProblem } from '../../config/serin/condition.ts';
import { defined } from '../emit.ts';
import type { Field } from '../field.ts';

export interface ImportedMetric {
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
  /** Names in `{{args.…}}`. */
  readonly args: readonly string[];
}

/** @param secrets Arguments that come from a Secret, and the variable of the environment that takes their place. */
export function metricOf(metric: Field, secrets: ReadonlyMap<string, string>): ImportedMetric | undefined {
  const name = metric.at('name').text() ?? 'metric';
  const provider = providerOf(metric.at('provider'), secrets);
  const fields = defined({
    interval: metric.at('interval').text(),
    initialDelay: metric.at('initialDelay').text(),
    count: whole(metric.at('count')),
    successCondition: conditionOf(metric.at('successCondition')),
    failureCondition: conditionOf(metric.at('failureCondition')),
    failureLimit: whole(metric.at('failureLimit')),
    inconclusiveLimit: whole(metric.at('inconclusiveLimit')),
    consecutiveErrorLimit: whole(metric.at('consecutiveErrorLimit')),
    consecutiveSuccessLimit: whole(metric.at('consecutiveSuccessLimit')),
  });
  if (provider === undefined) return undefined;
  if (fields['successCondition'] === undefined && fields['failureCondition'] === undefined) {
    metric.noEquivalent(
      'the metric has no condition that can be read, and without one any answer is a success; it is left out',
      'successCondition: result[0] <= 0.01',
    );
    return undefined;
  }
  const spec = { ...fields, provider };
  return { name, spec, args: argumentsIn(spec) };
}

function argumentsIn(value: unknown): readonly string[] {
  return [
    ...new Set([...JSON.stringify(value).matchAll(/\{\{\s*args\.(?<name>[^{}\s]+)\s*\}\}/g)].map((found) => found.groups?.['name'] ?? '')),
  ];
}

/** Argo fills arguments in here as well; limits are numbers in Serin. */
function whole(field: Field): number | undefined {
  const written = field.peek();
  if (typeof written === 'string' && written.includes('{{')) {
    field.noEquivalent('a limit is a number here, not an argument; the usual one counts', 'write the number');
    return undefined;
  }
  return field.number();
}

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/\band\b/g, '&&'],
  [/\bor\b/g, '||'],
  [/\bnot\s+/g, '!'],
  [/\bnil\b/g, 'null'],
];

/** expr-lang to CEL, where only words differ; texts in quotes stay. */
function conditionOf(field: Field): string | undefined {
  const written = field.text();
  if (written === undefined) return undefined;
  const parts = written.split(/("[^"]*"|'[^']*')/);
  const translated = parts
    .map((part, index) => (index % 2 === 1 ? part : WORDS.reduce((text, [word, by]) => text.replace(word, by), part)))
    .join('');
  if (/\blen\(result\) ?== ?0|\bisNaN\(/.test(translated))
    field.differs('an empty answer and NaN are never a success here, whatever the condition says', 'say so in the query: … or vector(0)');
  const problem = translated.includes('{{') ? undefined : conditionProblem(translated);
  if (problem === undefined) return translated;
  field.noEquivalent(`the condition cannot be read: ${problem.message}`, problem.hint);
  return undefined;
}

const OTHERS: Readonly<Record<string, string>> = {
  job: 'provider: { command: { command: [PROGRAM, ARGUMENT] } } succeeds with exit code 0, as a Job does',
  kayenta: 'the comparison with stable is built in: docs/analysis.md',
};

function providerOf(provider: Field, secrets: ReadonlyMap<string, string>): Readonly<Record<string, unknown>> | undefined {
  let found: Readonly<Record<string, unknown>> | undefined;
  for (const [kind, field] of provider.entries()) {
    if (kind === 'prometheus') found = prometheusOf(field);
    else if (kind === 'web') found = webOf(field);
    else
      field.noEquivalent(
        `${kind} is not asked by itself; the metric is left out`,
        OTHERS[kind] ?? 'ask its HTTP API with provider: { web: … }, or run a program with provider: { command: … }',
      );
  }
  return found === undefined ? undefined : withSecrets(found, secrets, provider);
}

function prometheusOf(field: Field): Readonly<Record<string, unknown>> | undefined {
  const address = field.at('address').text();
  const query = field.at('query').text();
  const timeout = seconds(field.at('timeout'));
  const headers = field.at('headers').take();
  field.at('authentication').noEquivalent('OAuth 2 and AWS SigV4 are not spoken', 'use bearerToken: { file: PATH }, or headers');
  field.at('insecure').noEquivalent('certificates are always verified', 'name the CA in NODE_EXTRA_CA_CERTS where Serin is started');
  const range = field.at('rangeQuery');
  if (range.isThere) {
    range.noEquivalent('Serin asks for one instant; the metric is left out', 'put the range into the query, as in avg_over_time(…[5m:1m])');
    return undefined;
  }
  if (address === undefined || query === undefined) {
    field.noEquivalent(
      'the metric has no address and query of its own; it is left out',
      'write both: the address Argo takes otherwise is in its environment',
    );
    return undefined;
  }
  return { prometheus: defined({ address, query, timeout, headers }) };
}

function webOf(field: Field): Readonly<Record<string, unknown>> | undefined {
  const url = field.at('url').text();
  field.at('authentication').noEquivalent('OAuth 2 and AWS SigV4 are not spoken', 'use bearerToken: { file: PATH }, or headers');
  field.at('insecure').noEquivalent('certificates are always verified', 'name the CA in NODE_EXTRA_CA_CERTS where Serin is started');
  const web = defined({
    url,
    method: field.at('method').text(),
    jsonPath: field.at('jsonPath').text(),
    body: field.at('body').text(),
    jsonBody: field.at('jsonBody').take(),
    timeout: seconds(field.at('timeoutSeconds')),
    headers: field.at('headers').take(),
  });
  return url === undefined ? undefined : { web };
}

function seconds(field: Field): string | undefined {
  const value = field.number();
  return value === undefined || value <= 0 ? undefined : `${value}s`;
}

/** Values of Secrets are of the environment instead, which fills in headers; nowhere else. */
function withSecrets(
  provider: Readonly<Record<string, unknown>>,
  secrets: ReadonlyMap<string, string>,
  field: Field,
): Readonly<Record<string, unknown>> | undefined {
  if (secrets.size === 0) return provider;
  const fill = (text: string): string =>
    text.replace(/\{\{\s*args\.(?<name>[^{}\s]+)\s*\}\}/g, (written, name: string) =>
      secrets.has(name) ? `\${${secrets.get(name) ?? ''}}` : written,
    );
  const filled = Object.fromEntries(
    Object.entries(provider).map(([kind, settings]) => {
      const { headers, ...others } = settings as Readonly<Record<string, unknown>>;
      const list = Array.isArray(headers) ? (headers as readonly { readonly key?: unknown; readonly value?: unknown }[]) : [];
      return [
        kind,
        {
          ...others,
          ...(list.length === 0
            ? {}
            : { headers: list.map(({ key, value }) => ({ key, value: typeof value === 'string' ? fill(value) : value })) }),
        },
      ];
    }),
  );
  if (argumentsIn(filled).some((name) => secrets.has(name))) {
    field.noEquivalent(
      'a Secret is filled in somewhere else than in a header; the metric is left out',
      'headers and bearerToken can be { file: PATH } or ${NAME}',
    );
    return undefined;
  }
  return filled;
}
