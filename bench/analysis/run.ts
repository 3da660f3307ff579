/**
 * `npm run bench:analysis`: simulates releases under Serin's analysis and its rivals' rules, checks what must hold, and writes docs/analysis.md.
 *
 *     node bench/analysis/run.ts               1,000 replications, writes docs/analysis.md
 *     node bench/analysis/run.ts --quick       15 replications, less than a minute, writes nothing
 *     ... --replications N                     more or fewer; below 1,000 the checks have slack
 *     ... --threads N                          default: the machine's processors
 *
 * Exits with 1 when a bar does not hold.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { performAll } from '../../src/simulate/pool.ts';
import { bars } from './bars.ts';
import type { Bar } from './bars.ts';
import { CATASTROPHES } from './catastrophe.ts';
import { engineCost } from './engine-cost.ts';
import { Findings } from './findings.ts';
import { isRare, RATES } from './rates.ts';
import { report } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import { type Experiment, perform, type Task } from './task.ts';
import { BOUNDARY_WORLDS, DAYS, MARGIN_WORLDS } from './validity.ts';

/** Below this the limits of the bars get slack for chance. */
const FULL_REPLICATIONS = 1000;
const QUICK_REPLICATIONS = 15;

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    replications: { type: 'string' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
});

const replications = countOf(flags.replications ?? String(flags.quick ? QUICK_REPLICATIONS : FULL_REPLICATIONS), '--replications');
const isShort = replications < FULL_REPLICATIONS;
const threads = countOf(flags.threads, '--threads');
const beganAt = performance.now();
// Before the threads start, so that the timing has the machine to itself.
const cost = engineCost();
const tasks = tasksOf();
const outcomes = await performAll({ perform, worker: new URL('./worker.ts', import.meta.url), threads }, tasks, progress);
const findings = new Findings(outcomes, cost);
const results = bars(findings, isShort);
const seconds = (performance.now() - beganAt) / 1000;

process.stdout.write(`${results.map(line).join('\n')}\n`);
const failed = results.filter((bar) => !bar.holds);
if (!flags.quick) {
  const text = report(findings, results, { replications, isShort, seconds, threads });
  writeFileSync(new URL('../../docs/analysis.md', import.meta.url), text);
}
process.stdout.write(`${results.length - failed.length} of ${results.length} hold, ${Math.round(seconds)} s\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** Replications of each experiment follow from those of the scenarios: what costs more is repeated less. */
function tasksOf(): Task[] {
  const part = (share: number): number => Math.ceil(replications * share);
  return [
    ...SCENARIOS.flatMap((_, index) => chunks('scenario', index, replications, 20)),
    ...BOUNDARY_WORLDS.flatMap((_, index) => chunks('boundary', index, replications, 50)),
    ...DAYS.flatMap((_, index) => chunks('day', index, part(0.5), 10)),
    ...MARGIN_WORLDS.flatMap((_, index) => chunks('margin', index, part(0.4), 50)),
    ...RATES.flatMap((rate, index) => {
      const count = part(isRare(rate) ? 1 : rate >= 1000 ? 0.06 : 0.2);
      return [...chunks('good-rate', index, count, 20), ...chunks('bad-rate', index, count, 20)];
    }),
    ...CATASTROPHES.flatMap((_, index) => chunks('catastrophe', index, replications, 250)),
    // Once through all worlds, and ten times in a full run.
    ...chunks('restart', 0, isShort ? SCENARIOS.length : 10 * SCENARIOS.length, SCENARIOS.length),
  ];
}

function countOf(text: string, flag: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  process.stderr.write(`${flag}: expected a whole number above 0, found ${JSON.stringify(text)}\n`);
  process.exit(2);
}

function chunks(experiment: Experiment, index: number, replications: number, size: number): Task[] {
  const tasks: Task[] = [];
  for (let from = 0; from < replications; from += size) tasks.push({ experiment, index, from, to: Math.min(replications, from + size) });
  return tasks;
}

function progress(done: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${tasks.length} tasks${done === tasks.length ? '\n' : ''}`);
}

function line({ id, what, measured, limit, holds }: Bar): string {
  return `${holds ? 'ok  ' : 'FAIL'} ${id.padEnd(3)} ${what}: ${measured} (${limit})`;
}
