/**
 * How long a configuration takes from its files to a table that can match, in a process that has done nothing before.
 *
 *     node bench/load-table.ts FILE
 *
 * Prints one JSON object, in ms: parse and validate, compile, prepare (index), all together, and the processor time of this thread, which
 * other processes on the machine cannot stretch.
 */
import { hasErrors } from '../src/base/diagnostic.ts';
import { loadFiles } from '../src/config/load.ts';
import { compile } from '../src/routing/compile.ts';
import { Matcher } from '../src/routing/matcher.ts';

export interface LoadTimes {
  readonly parseMs: number;
  readonly compileMs: number;
  readonly prepareMs: number;
  readonly totalMs: number;
  readonly cpuMs: number;
}

if (import.meta.main) {
  const cpuBefore = process.threadCpuUsage();
  const start = performance.now();
  const { snapshot, diagnostics } = await loadFiles([process.argv[2] ?? '']);
  const parsed = performance.now();
  if (hasErrors(diagnostics)) throw new Error(`the benchmark's own configuration is refused: ${diagnostics[0]?.message ?? ''}`);
  const { table } = compile(snapshot);
  const compiled = performance.now();
  const matcher = new Matcher(table);
  const prepared = performance.now();
  const { user, system } = process.threadCpuUsage(cpuBefore);
  if (matcher.listener('mesh') === undefined) throw new Error('the table has no mesh listener');
  const times: LoadTimes = {
    parseMs: parsed - start,
    compileMs: compiled - parsed,
    prepareMs: prepared - compiled,
    totalMs: prepared - start,
    cpuMs: (user + system) / 1000,
  };
  process.stdout.write(`${JSON.stringify(times)}\n`);
}
