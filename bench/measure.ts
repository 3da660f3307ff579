/**
 * Rounds: every proxy is started once and warmed up, then measured in turn (A B C, A B C, ...), because a shared machine is faster in one
 * minute than in the next. What is reported is the median over the rounds; a ratio is the median of the ratios within each round.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import type { LoadPlan, LoadResult } from './load.ts';
import { LOAD_CORE, cpuMicros, cpuMicrosByThread } from './machine.ts';
import type { Backends, ProxyKind, RunningProxy } from './proxies/proxy.ts';

const LOAD = fileURLToPath(new URL('load.ts', import.meta.url));

export interface Rounds {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** One measurement of one proxy. */
export interface Sample {
  readonly load: LoadResult;
  /** Processor time of the proxy, all its processes and threads. */
  readonly cpuMicros: number;
  readonly cpuMicrosByThread: Readonly<Record<string, number>>;
}

export interface Contender {
  readonly kind: ProxyKind;
  readonly backends: Backends;
  readonly plan: Omit<LoadPlan, 'port' | 'seconds'>;
}

export interface Measured {
  readonly name: string;
  /** One a round. */
  readonly samples: readonly Sample[];
  /** Share of the answers that came from the second version while warming up. */
  readonly secondShare: number;
}

/** @param directory  Temporary; every contender gets a folder in it. */
export async function measure(
  directory: string,
  contenders: readonly Contender[],
  { rounds, seconds, warmUpSeconds }: Rounds,
): Promise<Measured[]> {
  const started: {
    readonly contender: Contender;
    readonly proxy: RunningProxy;
    readonly samples: Sample[];
    readonly secondShare: number;
  }[] = [];
  for (const [index, contender] of contenders.entries()) {
    const own = join(directory, `proxy-${index}`);
    mkdirSync(own, { recursive: true });
    const proxy = await contender.kind.start({ directory: own, backends: contender.backends });
    const warmUp = await load(directory, { ...contender.plan, port: proxy.port, seconds: warmUpSeconds });
    started.push({ contender, proxy, samples: [], secondShare: warmUp.secondVersion / warmUp.requests });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { contender, proxy, samples } of started)
      samples.push(await sample(directory, proxy, { ...contender.plan, port: proxy.port, seconds }));
  }
  await Promise.all(started.map(({ proxy }) => proxy.child.stop()));
  return started.map(({ contender, samples, secondShare }) => ({ name: contender.kind.name, samples, secondShare }));
}

async function sample(directory: string, { child }: RunningProxy, plan: LoadPlan): Promise<Sample> {
  const threadsBefore = cpuMicrosByThread(child.pid);
  const before = cpuMicros(child.pid);
  const result = await load(directory, plan);
  const after = cpuMicros(child.pid);
  const byThread = [...cpuMicrosByThread(child.pid)].map(([name, micros]) => [name, micros - (threadsBefore.get(name) ?? 0)] as const);
  return { load: result, cpuMicros: after - before, cpuMicrosByThread: Object.fromEntries(byThread) };
}

/** Runs the load generator on its core. */
export async function load(directory: string, plan: LoadPlan): Promise<LoadResult> {
  const file = join(directory, 'plan.json');
  writeFileSync(file, JSON.stringify(plan));
  const child = new Child('load', LOAD_CORE, [process.execPath, LOAD, file]);
  return JSON.parse(await child.result());
}

/** The median over the rounds of something about each. */
export function medianOf(measured: Measured, value: (sample: Sample) => number): number {
  return median(measured.samples.map(value));
}

/** The median over the rounds of the ratio of one proxy to another. */
export function ratioOf(one: Measured, other: Measured, value: (sample: Sample) => number): number {
  return median(
    one.samples.flatMap((sample, round) => (other.samples[round] === undefined ? [] : [value(sample) / value(other.samples[round])])),
  );
}

export function cpuMicrosPerRequest({ cpuMicros, load }: Sample): number {
  return cpuMicros / load.requests;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
