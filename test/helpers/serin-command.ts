/** Commands of `serin` in the test's own process, as `src/cli/main.ts` runs them: for tests that ask a running Serin many questions. */
import { run } from '../../src/cli/program.ts';
import { ENVIRONMENT, type Finished } from './serin-process.ts';

/** Runs a command to its end, without colours and with nothing to read. */
export async function serinHere(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    paint: (_style, text) => text,
    outliveOutput: () => undefined,
    env: { ...ENVIRONMENT, ...env },
    readInput: () => Promise.resolve(new Uint8Array()),
  });
  return { code, signal: null, out, err };
}
