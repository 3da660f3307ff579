/** Commands of `serin` in the test's own process, as `src/cli/main.ts` runs them: for tests of many commands. */
import { run } from '../../src/cli/program.ts';
import { ENVIRONMENT, type Finished } from './serin-process.ts';

export type Ran = Omit<Finished, 'signal' | 'code'> & { readonly code: number };

export interface HereOptions {
  /** Default: empty. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** On stdin. Default: nothing. */
  readonly input?: string;
  /** Default: false. */
  readonly areMessagesSeen?: boolean;
}

/** Runs a command to its end, without colours. */
export async function runHere(args: readonly string[], { env = {}, input = '', areMessagesSeen = false }: HereOptions = {}): Promise<Ran> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    paint: (_style, text) => text,
    outliveOutput: () => undefined,
    areMessagesSeen,
    env,
    readInput: () => Promise.resolve(Buffer.from(input)),
  });
  return { code, out, err };
}

/** As a `SerinProcess` would end: for questions to a running Serin. */
export async function serinHere(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Finished> {
  return { signal: null, ...(await runHere(args, { env: { ...ENVIRONMENT, ...env } })) };
}
