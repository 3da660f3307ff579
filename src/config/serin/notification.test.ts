import { describe, expect, test } from 'vitest';
import { loadText } from '../load.ts';

const notification = (spec: string): string =>
  `apiVersion: serin.dev/v1alpha1\nkind: Notification\nmetadata: { name: team }\nspec: ${spec}\n`;

/** `code path: message` of each problem. */
function problems(spec: string): string[] {
  return loadText('a.yaml', notification(spec)).diagnostics.map(({ code, path, message }) => `${code} ${path}: ${message}`);
}

describe('a Notification', () => {
  test.each([
    '{ url: "http://127.0.0.1:9000/hook" }',
    "{ url: '${SLACK_URL}', format: slack, events: [rolloutRolledBack], namespaces: ['*'] }",
    "{ url: { file: hook }, secret: '${S}', timeout: 3s, namespaces: [a, b], headers: [{ key: x-team, value: web }] }",
  ])('%s', (spec) => {
    expect(problems(spec)).toEqual([]);
    expect(loadText('a.yaml', notification(spec)).snapshot.notifications).toHaveLength(1);
  });

  test.each([
    ['{}', /E_TYPE spec\.url/],
    ['{ url: "ftp://a" }', /E_CONFIG_URL spec\.url: scheme ftp/],
    ['{ url: "http://169.254.169.254/" }', /E_CONFIG_SSRF spec\.url/],
    ['{ url: "https://hooks.slack.com/services/T/B/X", format: slack }', /W_INLINE_SECRET spec\.url/],
    ['{ url: "http://a", format: teams }', /spec\.format/],
    ['{ url: "http://a", events: [rolloutPromotd] }', /spec\.events\[0\]/],
    ['{ url: "http://a", events: [] }', /spec\.events/],
    ['{ url: "http://a", events: [rolloutStep, rolloutStep] }', /E_DUPLICATE spec\.events\[1\]/],
    ['{ url: "http://a", namespaces: ["*", a] }', /E_ONE_OF spec\.namespaces/],
    ['{ url: "http://a", namespaces: [A_b] }', /E_NAME spec\.namespaces\[0\]/],
    ['{ url: "http://a", secret: plain }', /W_INLINE_SECRET spec\.secret/],
    ['{ url: "http://a", timeout: soon }', /E_DURATION spec\.timeout/],
    ['{ url: "http://a", channel: "#ops" }', /spec\.channel/],
  ])('%s', (spec, expected) => {
    expect(problems(spec).join('\n')).toMatch(expected);
  });
});
