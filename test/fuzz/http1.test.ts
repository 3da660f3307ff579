/** The corpus and some hundred cases more, the same ones each time; `node test/fuzz/http1.ts` runs others for as long as wanted. */
import { expect, test } from 'vitest';
import { Fuzzer } from './http1.ts';

test('[F-39] no request and no response splits Serin from a strict reader, hangs or throws', async () => {
  const fuzzer = await Fuzzer.start(20_260_101);
  const report = await fuzzer.run((cases) => cases >= 800);
  await fuzzer.close();
  expect(report.failures).toEqual([]);
  expect(report.forwarded).toBeGreaterThan(100);
});
