/** Hands tasks to worker threads until none is left. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface Pool<Task, Outcome> {
  /** With one thread the work is done right here, with this. */
  readonly perform: (task: Task) => Outcome;
  /** A module that answers each message, a task, with its outcome. */
  readonly worker: URL;
  readonly threads: number;
}

/** @param onDone Called after each task, with the number done so far. @returns Outcomes in the order they came. */
export async function performAll<Task, Outcome>(
  { perform, worker: file, threads }: Pool<Task, Outcome>,
  tasks: readonly Task[],
  onDone: (done: number) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  if (threads <= 1) {
    for (const task of tasks) {
      outcomes.push(perform(task));
      onDone(outcomes.length);
    }
    return outcomes;
  }
  const left = [...tasks].toReversed();
  await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(file);
      try {
        for (let task = left.pop(); task !== undefined; task = left.pop()) {
          worker.postMessage(task);
          const [outcome]: Outcome[] = await once(worker, 'message');
          if (outcome !== undefined) outcomes.push(outcome);
          onDone(outcomes.length);
        }
      } finally {
        await worker.terminate();
      }
    }),
  );
  return outcomes;
}
