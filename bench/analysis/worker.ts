/** A thread that does tasks one after the other. */
import { parentPort } from 'node:worker_threads';
import { perform } from './task.ts';
import type { Task } from './task.ts';

parentPort?.on('message', (task: Task) => {
  parentPort?.postMessage(perform(task));
});
