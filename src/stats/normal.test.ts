import { expect, test } from 'vitest';
import { normalQuantile } from './normal.ts';

// Reference: algorithm AS 241 (Wichura 1988), accurate to the last bits.
test.each([
  [0.99, 2.3263478740408408],
  [0.975, 1.959963984540054],
  [0.5, 0],
  [0.02425, -1.9729610513118845],
  [0.001, -3.090232306167813],
  [1e-10, -6.361340902404056],
  [1 - 1e-6, 4.753424308817087],
])('normalQuantile(%d)', (p, expected) =>
  expect(Math.abs(normalQuantile(p) - expected)).toBeLessThanOrEqual(1.2e-9 * Math.max(1, Math.abs(expected))),
);

test('the published approximation without refinement, to its last given figure', () => {
  expect(normalQuantile(0.99).toFixed(9)).toBe('2.326347874');
  expect(normalQuantile(0.001).toFixed(9)).toBe('-3.090232305');
});

test('the ends and what is no probability', () => {
  expect(normalQuantile(0)).toBe(Number.NEGATIVE_INFINITY);
  expect(normalQuantile(1)).toBe(Number.POSITIVE_INFINITY);
  expect(normalQuantile(-0.1)).toBeNaN();
  expect(normalQuantile(Number.NaN)).toBeNaN();
});
