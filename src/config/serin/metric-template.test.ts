/** Metrics and webhooks as users write them: what is wrong is said at its place and with what to do, what is right comes through. */
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadFiles, loadText } from '../load.ts';
import { renderIstio } from '../render.ts';
import { metricsOf } from './metric-resolve.ts';

const SERVICE = `
services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }
---
`;
const template = (spec: string, name = 'errors'): string =>
  `apiVersion: serin.dev/v1alpha1\nkind: MetricTemplate\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
const rollout = (spec: string): string =>
  `apiVersion: serin.dev/v1alpha1\nkind: Rollout\nmetadata: { name: reviews }\nspec: { host: reviews, stable: v1, canary: v2, ${spec} }\n`;
const PROMETHEUS = 'provider: { prometheus: { address: "http://127.0.0.1:9090", query: up } }';
const CONDITION = 'successCondition: "result[0] <= 0.01"';

/** `CODE path` of each problem. */
function problems(text: string): string[] {
  return loadText('a.yaml', SERVICE + text, { PATH: '/usr/bin:/bin' }).diagnostics.map(({ code, path }) => `${code} ${path}`);
}

describe('a good template', () => {
  test.each([
    ['prometheus', `{ interval: 30s, count: 5, failureLimit: 1, ${CONDITION}, ${PROMETHEUS} }`],
    ['a range', `{ thresholdRange: { max: 0.5 }, ${PROMETHEUS} }`],
    ['web', '{ successCondition: result > 0.9, provider: { web: { url: "https://example.com/rate", jsonPath: "{$.data.rate}" } } }'],
    ['a command, whose exit code is enough', '{ provider: { command: { command: [test, -e, /] } } }'],
    ['a metric that fails only', `{ failureCondition: "result[0] > 0.5", ${PROMETHEUS} }`],
  ])('%s', (_what, spec) => {
    expect(problems(template(spec))).toEqual([]);
  });

  test('fills in what the Rollout gives, and its own names', () => {
    const text = `${template(`{ args: [{ name: code }, { name: max, value: "0.05" }], interval: 20s, successCondition: "result[0] < {{args.max}}",
      provider: { prometheus: { address: "http://127.0.0.1:9090", query: 'rate(r{v="{{canary}}",c="{{args.code}}"}[{{interval}}])' } } }`)}---
${rollout('analysis: { metrics: [{ template: errors, args: [{ name: code, value: "500" }], failureLimit: 2 }] }')}`;
    const { snapshot, diagnostics } = loadText('a.yaml', SERVICE + text);
    expect(diagnostics).toEqual([]);
    const [found] = snapshot.rollouts;
    const [metric] = found === undefined ? [] : metricsOf(found, snapshot.metricTemplates);
    expect(metric).toMatchObject({
      name: 'errors',
      successCondition: 'result[0] < 0.05',
      provider: { prometheus: { query: 'rate(r{v="v2",c="500"}[20s])' } },
      rules: { intervalMs: 20_000, failureLimit: 2, inconclusiveLimit: 0, consecutiveErrorLimit: 4 },
    });
  });
});

describe('a bad template', () => {
  test.each([
    ['an interval of 0', `{ interval: 0s, ${CONDITION}, ${PROMETHEUS} }`, ['E_CONFIG_RANGE spec.interval']],
    ['a count of 0', `{ count: 0, ${CONDITION}, ${PROMETHEUS} }`, ['E_CONFIG_RANGE spec.count']],
    ['min above max', `{ thresholdRange: { min: 2, max: 1 }, ${PROMETHEUS} }`, ['E_CONFIG_RANGE spec.thresholdRange']],
    ['several times without an interval', `{ count: 3, ${CONDITION}, ${PROMETHEUS} }`, ['E_REQUIRED spec.count']],
    ['no condition', `{ ${PROMETHEUS} }`, ['E_REQUIRED spec']],
    ['both kinds of condition', `{ thresholdRange: { max: 1 }, ${CONDITION}, ${PROMETHEUS} }`, ['E_ONE_OF spec.thresholdRange']],
    ['no CEL', `{ successCondition: "result[0] >=", ${PROMETHEUS} }`, ['E_CONDITION spec.successCondition']],
    ['a name nobody knows', `{ successCondition: "value > 1", ${PROMETHEUS} }`, ['E_CONDITION spec.successCondition']],
    ['a function nobody knows', `{ successCondition: "avg(result) > 1", ${PROMETHEUS} }`, ['E_CONDITION spec.successCondition']],
    ['a condition without the answer', `{ successCondition: "1 < 2", ${PROMETHEUS} }`, ['E_CONDITION spec.successCondition']],
    [
      'an empty query',
      `{ ${CONDITION}, provider: { prometheus: { address: "http://a", query: "" } } }`,
      ['E_CONFIG_URL spec.provider.prometheus.query'],
    ],
    ['two providers', `{ ${CONDITION}, provider: { web: { url: "http://a" }, command: { command: [test] } } }`, ['E_ONE_OF spec.provider']],
    ['a provider of Argo', `{ ${CONDITION}, provider: { datadog: { query: x } } }`, ['E_UNKNOWN_KEY spec.provider.datadog']],
    [
      'no JSONPath',
      `{ ${CONDITION}, provider: { web: { url: "http://a", jsonPath: "$..[" } } }`,
      ['E_CONDITION spec.provider.web.jsonPath'],
    ],
    ['a reference to nothing', `{ ${CONDITION}, provider: { web: { url: "http://a/{{args.x}}" } } }`, ['E_REF spec.provider.web.url']],
    ['a line for a shell', `{ provider: { command: { command: "curl a | jq ." } } }`, ['E_PROC_COMMAND spec.provider.command.command']],
    ['a missing program', `{ provider: { command: { command: [no-such-program] } } }`, ['E_PROC_COMMAND spec.provider.command.command']],
    [
      'a file that cannot be started',
      `{ provider: { command: { command: [/etc/passwd] } } }`,
      ['E_PROC_COMMAND spec.provider.command.command'],
    ],
    [
      'a variable that is not set',
      `{ provider: { command: { command: [test, "\${NOPE}"] } } }`,
      ['E_CONFIG_ENV spec.provider.command.command'],
    ],
  ])('%s', (_what, spec, expected) => {
    expect(problems(template(spec))).toEqual(expected);
  });

  test.each([
    ['file:///etc/passwd', 'E_CONFIG_URL'],
    ['gopher://127.0.0.1/', 'E_CONFIG_URL'],
    ['http://user:password@127.0.0.1/', 'E_CONFIG_URL'],
    ['http://169.254.169.254/latest/meta-data', 'E_CONFIG_SSRF'],
    ['http://2852039166/', 'E_CONFIG_SSRF'],
    ['http://0xa9.0xfe.0xa9.0xfe/', 'E_CONFIG_SSRF'],
    ['http://[::ffff:169.254.169.254]/', 'E_CONFIG_SSRF'],
    ['http://[64:ff9b::a9fe:a9fe]/', 'E_CONFIG_SSRF'],
    ['http://[fe80::1]/', 'E_CONFIG_SSRF'],
    ['http://[fd00:ec2::254]/', 'E_CONFIG_SSRF'],
    ['http://0.0.0.0/', 'E_CONFIG_SSRF'],
  ])('%s is refused for every kind of URL', (url, code) => {
    const text = `${template(`{ ${CONDITION}, provider: { web: { url: "${url}" } } }`)}---
${template(`{ ${CONDITION}, provider: { prometheus: { address: "${url}", query: up } } }`, 'other')}---
${rollout(`webhooks: [{ name: a, type: event, url: "${url}" }]`)}`;
    expect(problems(text)).toEqual([
      `${code} spec.provider.web.url`,
      `${code} spec.provider.prometheus.address`,
      `${code} spec.webhooks[0].url`,
    ]);
  });
});

describe('a Rollout', () => {
  test.each([
    ['a template that is not there', 'analysis: { metrics: [{ template: error }] }', ['E_REF spec.analysis.metrics[0].template']],
    ['an argument that is not given', 'analysis: { metrics: [{ template: errors }] }', ['E_REQUIRED spec.analysis.metrics[0].args']],
    [
      'an argument that is not there',
      'analysis: { metrics: [{ template: errors, args: [{ name: code, value: "1" }, { name: kode, value: "1" }] }] }',
      ['E_REF spec.analysis.metrics[0].args[1].name'],
    ],
    ['neither template nor provider', 'analysis: { metrics: [{ name: a }] }', ['E_ONE_OF spec.analysis.metrics[0]']],
    [
      'one name twice',
      `analysis: { metrics: [{ name: a, ${CONDITION}, ${PROMETHEUS} }, { name: a, ${CONDITION}, ${PROMETHEUS} }] }`,
      ['E_DUPLICATE spec.analysis.metrics[1]'],
    ],
    [
      'a webhook that is told once with an interval',
      'webhooks: [{ name: a, type: event, url: "http://a", interval: 5s }]',
      ['E_ONE_OF spec.webhooks[0].interval'],
    ],
    [
      'a gate with a limit',
      'webhooks: [{ name: a, type: rollback, url: "http://a", failureLimit: 1 }]',
      ['E_ONE_OF spec.webhooks[0].failureLimit'],
    ],
    [
      'a word of Flagger',
      'webhooks: [{ name: a, type: rollout, url: "http://a", retries: 3 }]',
      ['E_UNKNOWN_KEY spec.webhooks[0].retries'],
    ],
    [
      'a secret in the file',
      'webhooks: [{ name: a, type: event, url: "http://a", secret: abc, bearerToken: def, headers: [{ key: X-Api-Key, value: ghi }] }]',
      [
        'W_INLINE_SECRET spec.webhooks[0].headers[0].value',
        'W_INLINE_SECRET spec.webhooks[0].bearerToken',
        'W_INLINE_SECRET spec.webhooks[0].secret',
      ],
    ],
    [
      'two webhooks of one name',
      'webhooks: [{ name: a, type: event, url: "http://a" }, { name: a, type: event, url: "http://a" }]',
      ['E_DUPLICATE spec.webhooks[1].name'],
    ],
  ])('%s', (_what, spec, expected) => {
    const errors = template(`{ args: [{ name: code }], ${CONDITION}, provider: { web: { url: "http://a/{{args.code}}" } } }`);
    expect(problems(`${errors}---\n${rollout(spec)}`).toSorted()).toEqual(expected.toSorted());
  });

  test('in the short form, problems stand at their lines', () => {
    const { diagnostics } = loadText(
      'a.yaml',
      `services:
  reviews:
    versions: { v1: http://127.0.0.1:1, v2: http://127.0.0.1:2 }
    rollout:
      stable: v1
      canary: v2
      analysis: { metrics: [{ template: nope }] }
      webhooks: [{ name: a, type: confirm-rollout, url: "ftp://a" }]
`,
    );
    expect(diagnostics.map(({ line, code, path }) => `${line} ${code} ${path}`)).toEqual([
      '7 E_REF services.reviews.rollout.analysis.metrics[0].template',
      '8 E_CONFIG_URL services.reviews.rollout.webhooks[0].url',
    ]);
  });
});

test('Istio has no such kind: it is not rendered', () => {
  const { resources } = loadText('a.yaml', SERVICE + template(`{ ${CONDITION}, ${PROMETHEUS} }`));
  expect(resources.map(({ kind }) => kind)).toContain('MetricTemplate');
  expect(renderIstio(resources)).not.toContain('serin.dev');
});

describe('secrets in files', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'serin-metric-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const check = async (file: string): Promise<string[]> => {
    const config = join(directory, 'a.yaml');
    writeFileSync(config, SERVICE + template(`{ ${CONDITION}, provider: { web: { url: "http://a", bearerToken: { file: ${file} } } } }`));
    return (await loadFiles([config], {})).diagnostics.map(({ code, path }) => `${code} ${path}`);
  };

  test('a file of ones own is fine, one others can read is warned about, one that is elsewhere refused', async () => {
    writeFileSync(join(directory, 'good'), 'abc\n', { mode: 0o600 });
    expect(await check('good')).toEqual([]);
    writeFileSync(join(directory, 'open'), 'abc\n');
    chmodSync(join(directory, 'open'), 0o644);
    expect(await check('open')).toEqual(['W_SECRET_PERMS spec.provider.web.bearerToken']);
    symlinkSync('/etc/passwd', join(directory, 'link'));
    expect(await check('link')).toEqual(['E_SECRET_PATH spec.provider.web.bearerToken']);
    expect(await check('missing')).toEqual(['E_SECRET_PATH spec.provider.web.bearerToken']);
  });
});
