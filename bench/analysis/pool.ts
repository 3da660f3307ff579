/** Hands tasks to worker threads until none is left. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { perform } from './task.ts';
import type { Outcome, Task } from './task.ts';

/** @param onDone  Called after each task, with the number done so far. With one thread the work is done right here. */
export async function performAll(tasks: readonly Task[], threads: number, onDone: (done: number) => void): Promise<Outcome[]> {
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
      const worker = new Worker(new URL('./worker.ts', import.meta.url));
      for (let task = left.pop(); task !== undefined; task = left.pop()) {
        worker.postMessage(task);
        const [outcome]: Outcome[] = await once(worker, 'message');
        if (outcome !== undefined) outcomes.push(outcome);
        onDone(outcomes.length);
      }
      await worker.terminate();
    }),
  );
  return outcomes;
}
