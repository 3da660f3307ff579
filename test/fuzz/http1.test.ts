/** The corpus and a few seconds of fuzzing; `node test/fuzz/http1.ts` runs it for as long as wanted. */
import { expect, test } from 'vitest';
import { Fuzzer } from './http1.ts';

test('[F-39] no request and no response splits Serin from a strict reader, hangs or throws', async () => {
  const fuzzer = await Fuzzer.start(20_260_101);
  const report = await fuzzer.run(5);
  await fuzzer.close();
  expect(report.failures).toEqual([]);
  expect(report.cases).toBeGreaterThan(100);
  expect(report.forwarded).toBeGreaterThan(20);
}, 60_000);
