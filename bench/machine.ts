/**
 * What the benchmark needs to know of the machine: which programs there are, how much processor time and memory a process has used.
 *
 * Linux only: the numbers come from /proc (proc(5)), the cores from taskset(1).
 */
import { accessSync, constants, readFileSync, readdirSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { delimiter, join } from 'node:path';

/** The proxy under test has core 0 to itself; the load and the backends share core 1. */
export const PROXY_CORE = 0;
export const LOAD_CORE = 1;

/** `USER_HZ`: what utime and stime are counted in, on every Linux Node runs on. */
const TICKS_PER_SECOND = 100;

/** Where a program is, or undefined. Debian keeps servers in places not everybody has on PATH. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why the benchmark cannot run here; undefined when it can. */
export function obstacle(): string | undefined {
  if (process.platform !== 'linux') return `it reads /proc and pins processes to cores: Linux only, this is ${process.platform}`;
  if (availableParallelism() < 2) return 'it needs two cores, one for the proxy and one for the load';
  if (findProgram('taskset') === undefined) return 'it needs taskset (apt install util-linux)';
  return undefined;
}

export function describeMachine(): string {
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  return `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Linux ${kernel}, Node ${process.version}`;
}

/** The process and everything it started. */
function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

/** Processor time of a process, its children and all their threads so far, in microseconds (steps of 10 ms). */
export function cpuMicros(pid: number): number {
  return family(pid).reduce((total, each) => total + statMicros(`/proc/${each}/stat`), 0);
}

/** The same in nanoseconds, to the nanosecond: for short measurements. */
export function cpuNanos(pid: number): number {
  return family(pid)
    .flatMap((each) => readdirSync(`/proc/${each}/task`).map((task) => `/proc/${each}/task/${task}/schedstat`))
    .reduce((total, path) => total + Number(readFileSync(path, 'latin1').split(' ', 1)[0]), 0);
}

/** In microseconds, thread by thread: name and time. Threads of one name are added up. */
export function cpuMicrosByThread(pid: number): ReadonlyMap<string, number> {
  const byName = new Map<string, number>();
  for (const each of family(pid)) {
    for (const task of readdirSync(`/proc/${each}/task`)) {
      const name = readFileSync(`/proc/${each}/task/${task}/comm`, 'utf8').trim();
      const label = task === String(each) ? `${name} (main)` : name;
      byName.set(label, (byName.get(label) ?? 0) + statMicros(`/proc/${each}/task/${task}/stat`));
    }
  }
  return byName;
}

/** utime + stime. The second field is a name that may contain anything, spaces and brackets included. */
function statMicros(path: string): number {
  const stat = readFileSync(path, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}

/** Memory in RAM of a process and its children, bytes. */
export function residentBytes(pid: number): number {
  return family(pid).reduce((total, each) => {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${each}/status`, 'utf8'))?.[1];
    return total + Number(kibibytes ?? 0) * 1024;
  }, 0);
}

/** How many files a process started here may open. */
export function openFilesLimit(): number {
  const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return Number(soft ?? 1024);
}
