/** Secrets in configuration that somebody looks at: never there, whatever way they were written. */
import { describe, expect, test } from 'vitest';
import { redacted, redactedPair, redactedText } from './redact.ts';

const PASSWORD = 'hunter2-hunter2';

describe('a text', () => {
  test.each([
    ['the value of a Secret', `kind: Secret\nmetadata: { name: a } # ${PASSWORD}\nstringData: { a: ${PASSWORD} }\n`],
    ['a variable', `services:\n  a:\n    versions:\n      v1: { run: node a.js, env: { API_TOKEN: ${PASSWORD} } } # mine\n`],
    ['a quoted variable', `services: { a: { versions: { v1: { run: a, env: { API_TOKEN: "${PASSWORD}" } } } } }\n`],
    ['a block', `kind: Rollout\nspec:\n  webhooks:\n    - secret: |\n        ${PASSWORD}\n`],
    ['an alias', `kind: Rollout\nspec:\n  other: &a ${PASSWORD}\n  webhooks: [{ secret: *a }]\n`],
    ['a header of a webhook', `kind: Rollout\nspec: { webhooks: [{ headers: [{ key: X-Api-Key, value: ${PASSWORD} }] }] }\n`],
    [
      'a header that is set',
      `kind: VirtualService\nspec: { http: [{ headers: { request: { set: { Authorization: Bearer ${PASSWORD} } } } }] }\n`,
    ],
    ['a header that is matched', `kind: VirtualService\nspec: { http: [{ match: [{ headers: { x-token: { exact: ${PASSWORD} } } }] }] }\n`],
    [
      'a query parameter that is matched',
      `kind: VirtualService\nspec: { http: [{ match: [{ queryParams: { sig: { exact: ${PASSWORD} } } }] }] }\n`,
    ],
    [
      'a header that a route of the Gateway API sets',
      `kind: HTTPRoute\nspec: { rules: [{ filters: [{ requestHeaderModifier: { set: [{ name: Authorization, value: Bearer ${PASSWORD} }] } }] }] }\n`,
    ],
    [
      'a header that a backend of the Gateway API adds',
      `kind: HTTPRoute\nspec: { rules: [{ backendRefs: [{ filters: [{ responseHeaderModifier: { add: [{ name: Set-Cookie, value: ${PASSWORD} }] } }] }] }] }\n`,
    ],
    [
      'what a route of the Gateway API matches',
      `kind: HTTPRoute\nspec: { rules: [{ matches: [{ headers: [{ name: x-token, value: ${PASSWORD} }], queryParams: [{ name: sig, value: ${PASSWORD} }] }] }] }\n`,
    ],
    [
      'a private key in a ConfigMap',
      `kind: ConfigMap\ndata:\n  a: |\n    -----BEGIN PRIVATE KEY-----\n    ${PASSWORD}\n    -----END PRIVATE KEY-----\n`,
    ],
    ['the query of a redirect', `kind: VirtualService\nspec: { http: [{ redirect: { uri: "/a?token=${PASSWORD}" } }] }\n`],
    ['a URL with two @', `kind: Notification\nspec: { url: "https://a:b@${PASSWORD}@c/" }\n`],
    ['a URL', `kind: Rollout\nspec: { webhooks: [{ url: "https://a:${PASSWORD}@b/?token=${PASSWORD}" }] }\n`],
    ['an option of a command', `services: { a: { versions: { v1: { command: [a, --password, ${PASSWORD}, --token=${PASSWORD}] } } } }\n`],
    ['an option in a command line', `services: { a: { versions: { v1: { run: node a.js --token ${PASSWORD} } } } }\n`],
    [
      'the run annotation',
      `kind: ServiceEntry\nmetadata:\n  annotations:\n    serin.dev/run: '{"v1":{"command":["a"],"env":{"DB_PASSWORD":"${PASSWORD}"}}}'\n`,
    ],
  ])('%s', (_, text) => {
    expect(text).toContain(PASSWORD);
    expect(redactedText(text)).not.toContain(PASSWORD);
    expect(redactedText(text)).toMatch(/\*\*\*|redacted/);
  });

  test('keeps its lines and comments where a secret stands in it plainly', () => {
    const text = `# reviews\nservices:\n  a:\n    env: { API_TOKEN: ${PASSWORD}, STARS: black } # black\n    b: c\n`;
    expect(redactedText(text)).toBe('# reviews\nservices:\n  a:\n    env: { API_TOKEN: "***", STARS: black } # black\n    b: c\n');
  });

  test('without a secret is as it was written', () => {
    const text = `kind: VirtualService # the one\nspec: { http: [{ match: [{ headers: { cookie: { regex: "user=jason" } } }], timeout: 1s }] }\n`;
    expect(redactedText(text)).toBe(text);
    const route = `kind: HTTPRoute\nspec: { rules: [{ matches: [{ headers: [{ name: Cookie, value: user=jason }, { name: end-user, value: jason }] }] }] }\n`;
    expect(redactedText(route)).toBe(route);
  });
});

test('a reference to a secret is none', () => {
  const value = { env: { API_TOKEN: '${API_TOKEN}', DB_PASSWORD: { file: 'password' } }, bearerToken: { file: 'token' } };
  expect(redacted(value)).toEqual(value);
});

test('that two secrets differ is said, not what they are', () => {
  const of = (value: string): object => ({ kind: 'Secret', spec: { data: { a: value, b: 'same' } } });
  expect(redactedPair(of('one'), of('two'))).toEqual([
    { kind: 'Secret', spec: { data: { a: '*** (before)', b: '***' } } },
    { kind: 'Secret', spec: { data: { a: '*** (after)', b: '***' } } },
  ]);
});
