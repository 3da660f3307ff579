/** The log of a process Serin runs, for the API: by its name, never by a path, and without secrets that can be told. */
import type { EventSource } from '../../admin/events.ts';
import type { LogLine } from '../../admin/live-types.ts';
import type { ReadLog } from '../../admin/ports.ts';
import { ProblemError } from '../../admin/problem.ts';
import { nearest } from '../../base/nearest.ts';
import { redactLine } from '../../telemetry/redact.ts';
import { LogFollower, type LogTail, readLogTail } from '../../workload/process-log-reader.ts';
import type { ProcessState, Supervisor } from '../../workload/supervisor.ts';

/** @param name Of a process, or of a version of which there is none: `reviews-v2-1`, `reviews-v2`. @throws ProblemError 404, 422 */
export async function readProcessLog(
  processes: Pick<Supervisor, 'states'>,
  { name, namespace, lines }: { readonly name: string; readonly namespace: string | undefined; readonly lines: number },
): Promise<ReadLog> {
  const { logFile } = find(processes.states(), name, namespace);
  const tail = await readLogTail(logFile, lines);
  return { lines: tail.lines.map(shown), follow: () => following(logFile, tail) };
}

function find(states: readonly ProcessState[], name: string, namespace: string | undefined): ProcessState {
  const found = states.filter(
    (state) => (state.name === name || versionOf(state) === name) && (namespace === undefined || state.namespace === namespace),
  );
  const [first] = found;
  if (first === undefined) {
    const close = nearest(
      name,
      states.flatMap((state) => [state.name, versionOf(state)]),
    );
    const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
    throw new ProblemError(404, 'E_NOT_FOUND', `Serin runs no process '${name}'${where}`, {
      hint: close === undefined ? 'serin get processes' : `did you mean ${close}?`,
    });
  }
  const namespaces = [...new Set(found.map((state) => state.namespace))];
  if (namespaces.length > 1)
    throw new ProblemError(422, 'E_REQUEST_INVALID', `there is a '${name}' in the namespaces ${namespaces.join(' and ')}`, {
      hint: `say which one: namespace=${namespaces[0]}`,
    });
  return first;
}

function versionOf({ service, version }: ProcessState): string {
  return `${service}-${version}`;
}

function following(file: string, { lines, end }: LogTail): EventSource {
  let follower: LogFollower | undefined;
  let told = lines;
  return {
    open: (emit) => {
      follower = new LogFollower(file, end, (more) => {
        for (const line of more) emit({ event: 'line', data: JSON.stringify(shown(line)) });
      });
      follower.start();
    },
    // Of lines that were left out because the reader was behind nobody knows any more.
    *greeting() {
      const first = told;
      told = [];
      for (const line of first) yield { event: 'line', data: JSON.stringify(shown(line)) };
    },
    close: () => follower?.stop(),
  };
}

function shown(line: string): LogLine {
  return { text: redactLine(line) };
}
