/**
 * `npm run bench:analysis`: simulates releases under Serin's analysis and its rivals' rules, checks what must hold, and writes docs/analysis.md.
 *
 *     node bench/analysis/run.ts             1,000 replications, writes docs/analysis.md
 *     node bench/analysis/run.ts --quick     a minute, with slack in the checks, writes nothing
 *     ... --threads N                        default: the machine's processors
 *
 * Exits with 1 when a bar does not hold.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { bars } from './bars.ts';
import type { Bar } from './bars.ts';
import { CATASTROPHES } from './catastrophe.ts';
import { engineCost } from './engine-cost.ts';
import { Findings } from './findings.ts';
import { performAll } from './pool.ts';
import { RATES } from './rates.ts';
import { report } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Experiment, Task } from './task.ts';
import { BOUNDARY_WORLDS, DAYS, MARGIN_WORLDS } from './validity.ts';

/** Replications of each experiment. */
interface Plan {
  readonly scenario: number;
  readonly boundary: number;
  readonly day: number;
  readonly margin: number;
  readonly catastrophe: number;
  readonly rate: number;
  readonly fastRate: number;
  readonly restart: number;
}

const FULL: Plan = { scenario: 1000, boundary: 1000, day: 500, margin: 400, catastrophe: 1000, rate: 200, fastRate: 60, restart: 270 };
const QUICK: Plan = { scenario: 15, boundary: 30, day: 4, margin: 20, catastrophe: 100, rate: 6, fastRate: 2, restart: 27 };

const { values: flags } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, threads: { type: 'string', default: String(availableParallelism()) } },
});

const plan = flags.quick ? QUICK : FULL;
const threads = Math.max(1, Number.parseInt(flags.threads, 10) || 1);
const beganAt = performance.now();
// Before the threads start, so that the timing has the machine to itself.
const cost = engineCost();
const tasks = tasksOf(plan);
const outcomes = await performAll(tasks, threads, progress);
const findings = new Findings(outcomes, cost);
const results = bars(findings, flags.quick);
const seconds = (performance.now() - beganAt) / 1000;

process.stdout.write(`${results.map(line).join('\n')}\n`);
const failed = results.filter((bar) => !bar.holds);
if (!flags.quick) {
  const text = report(findings, results, { command: 'npm run bench:analysis', replications: plan.scenario, seconds, threads });
  writeFileSync(new URL('../../docs/analysis.md', import.meta.url), text);
}
process.stdout.write(`${results.length - failed.length} of ${results.length} hold, ${Math.round(seconds)} s\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

function tasksOf(plan: Plan): Task[] {
  return [
    ...SCENARIOS.flatMap((_, index) => chunks('scenario', index, plan.scenario, 20)),
    ...BOUNDARY_WORLDS.flatMap((_, index) => chunks('boundary', index, plan.boundary, 50)),
    ...DAYS.flatMap((_, index) => chunks('day', index, plan.day, 10)),
    ...MARGIN_WORLDS.flatMap((_, index) => chunks('margin', index, plan.margin, 50)),
    ...RATES.flatMap((rate, index) => {
      const replications = rate >= 1000 ? plan.fastRate : plan.rate;
      return [...chunks('good-rate', index, replications, 20), ...chunks('bad-rate', index, replications, 20)];
    }),
    ...CATASTROPHES.flatMap((_, index) => chunks('catastrophe', index, plan.catastrophe, 250)),
    ...chunks('restart', 0, plan.restart, 27),
  ];
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
