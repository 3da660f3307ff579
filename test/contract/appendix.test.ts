/**
 * The 35 vectors (A1 to A35) that "as Istio does it" was written down in: each is a case of the contract, or held by the test that is named here,
 * or about something that Serin does not read.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CASES } from './cases.ts';
import { REFUSED } from './cases/refused.ts';

/** Vectors that are not about one request and one answer: the file, and what it says there. */
const ELSEWHERE: Readonly<Record<string, readonly [file: string, title: string]>> = {
  A22: ['src/proxy/outlier-detection.test.ts', '[10, 9, 0]'],
  A23: ['test/wire/cluster-policies.test.ts', 'one connection, one that waits: the third is refused'],
  A24: ['test/e2e/release.test.ts', 'the share is exact, growing only adds users, a rollback moves everyone'],
  A25: ['src/routing/weighted-pick.test.ts', 'goes by cumulative weight in list order'],
  // The same 90 % for every user, where a sticky canary of Flagger's drains its stable version.
  A28: ['test/e2e/release.test.ts', 'the share is exact, growing only adds users, a rollback moves everyone'],
  A29: ['src/rollout/metric-verdict.test.ts', "[BOTH, { value: 1.5 }, 'Inconclusive']"],
  A30: ['src/rollout/metric-run.test.ts', "['eeeee', {}, 'Error']"],
  // Flagger's count of failed checks, in what Serin is compared with.
  A31: ['src/simulate/simulate.test.ts', 'a total failure, by the rules of the others'],
};

/** How other products choose (kamal, ingress-nginx); nothing of theirs is read. */
const OTHERS = ['A26', 'A27'];

const VECTORS = Array.from({ length: 35 }, (_, index) => `A${index + 1}`);
const inContract = new Set([...CASES, ...REFUSED].flatMap(({ vector }) => vector ?? []));

test('every vector is somewhere, and once', () => {
  const listed = [...inContract, ...Object.keys(ELSEWHERE), ...OTHERS];
  expect(listed.toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1)))).toEqual(VECTORS);
});

test.each(Object.entries(ELSEWHERE))('%s is held by %s', (_vector, [file, title]) => {
  expect(readFileSync(join(import.meta.dirname, '../..', file), 'utf8')).toContain(title);
});
