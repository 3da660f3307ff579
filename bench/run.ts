/**
 * `npm run bench`: Serin beside nginx, HAProxy and http-proxy-3, in one run on one machine.
 *
 *     npm run bench                              everything, about 20 minutes
 *     npm run bench -- --smoke                   a short (a), for continuous integration; fails only where a ratio is absurd
 *     npm run bench -- --only head,idle          some sections: head, bodies, routes, policies, off, idle
 *     npm run bench -- --rounds 5 --seconds 10 --json results.json
 *
 * Each proxy is pinned to one core, the load generator (load.ts) and the backends share the other. CPU per request is the processor time the
 * proxy used by /proc, all threads, divided by the requests answered: it hardly depends on how much of the machine others use, which
 * throughput and latency do. The load generator is our own on every machine, so that results mean the same everywhere; it can keep nginx and
 * HAProxy busy all the time. See measure.ts for how rounds are taken.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stopAll } from './child.ts';
import { describeMachine, obstacle } from './machine.ts';
import type { Rounds } from './measure.ts';
import { printCheck } from './report.ts';
import type { SectionResult } from './report.ts';
import { bodiesSection } from './sections/bodies.ts';
import type { Context } from './sections/context.ts';
import { headSection } from './sections/head.ts';
import { idleSection } from './sections/idle.ts';
import { offSection } from './sections/off.ts';
import { policiesSection } from './sections/policies.ts';
import { routesSection } from './sections/routes.ts';

const SECTIONS: readonly { readonly name: string; readonly title: string; readonly run: (context: Context) => Promise<SectionResult> }[] = [
  { name: 'head', title: 'Small requests, 90/10 split, 64 connections', run: headSection },
  { name: 'bodies', title: 'Bodies of 1 MiB, 16 connections', run: bodiesSection },
  { name: 'routes', title: '10,000 routes', run: routesSection },
  { name: 'policies', title: 'All policies at once, TLS, HTTP/2 and gRPC, 64 requests at once', run: policiesSection },
  { name: 'off', title: 'Policies that are off, 64 connections', run: offSection },
  { name: 'idle', title: '10,000 idle connections', run: idleSection },
];

/** More than this times nginx's CPU is not noise: the smoke run fails. */
const ABSURD_RATIO = 4;

const SMOKE: Rounds = { rounds: 3, seconds: 1.5, warmUpSeconds: 1.5 };

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      smoke: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '4' },
      json: { type: 'string' },
    },
  });
  const problem = obstacle();
  if (problem !== undefined) {
    print(`bench: not run: ${problem}`);
    return;
  }
  const wanted = values.smoke ? ['head'] : (values.only?.split(',') ?? SECTIONS.map(({ name }) => name));
  const unknown = wanted.find((name) => SECTIONS.every((section) => section.name !== name));
  if (unknown !== undefined) throw new Error(`--only: expected some of ${SECTIONS.map(({ name }) => name).join(', ')}, found ${unknown}`);
  const rounds = values.smoke
    ? SMOKE
    : { rounds: positive('--rounds', values.rounds), seconds: positive('--seconds', values.seconds), warmUpSeconds: 3 };

  const machine = describeMachine();
  print(machine);
  const directory = mkdtempSync(join(tmpdir(), 'serin-bench-'));
  const results: SectionResult[] = [];
  try {
    for (const { name, title, run } of SECTIONS.filter((section) => wanted.includes(section.name))) {
      print(`\n${title}`);
      const own = join(directory, name);
      mkdirSync(own);
      const result = await run({ directory: own, rounds, print, isSmoke: values.smoke });
      await stopAll();
      for (const check of result.checks) printCheck(print, check);
      results.push(result);
    }
  } finally {
    await stopAll();
    rmSync(directory, { recursive: true, force: true });
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine, rounds, results }, undefined, 2)}\n`);
  if (values.smoke) failWhereAbsurd(results);
}

function failWhereAbsurd(results: readonly SectionResult[]): void {
  const ratio = results[0]?.checks[0]?.measured;
  if (ratio === undefined || ratio <= ABSURD_RATIO) return;
  print(`\nbench: ${ratio.toFixed(1)} times nginx's CPU per request is beyond anything noise explains (limit ${ABSURD_RATIO})`);
  process.exitCode = 1;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option}: expected a number above 0, found ${text}`);
  return value;
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
