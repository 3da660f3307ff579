import { expect, test } from 'vitest';
import { shadowHost } from './shadow-host.ts';

test.each([
  ['h', 'h-shadow'],
  ['h:80', 'h-shadow:80'],
  ['reviews.default.svc.cluster.local:9080', 'reviews.default.svc.cluster.local-shadow:9080'],
  ['127.0.0.1:80', '127.0.0.1-shadow:80'],
  ['[::1]:80', '[::1]:80'],
])('%s is marked as %s (vector A18)', (authority, marked) => {
  expect(shadowHost(authority)).toBe(marked);
});
