/** The thread of a data-plane worker: carries out commands for its DataPlane and survives any exception a request causes (reliability P85). */
import { parentPort, workerData } from 'node:worker_threads';
import { StatsWriter } from '../telemetry/shared-stats.ts';
import { DataPlane } from './data-plane.ts';
import { ListenError } from './options.ts';
import type { BoundListener } from './options.ts';
import type { WorkerCommand, WorkerReply, WorkerStart } from './worker-messages.ts';

const port = parentPort;
if (port === null) throw new Error('broken invariant: worker.ts runs in a worker thread');
const start = workerData as WorkerStart;

const reply = (message: WorkerReply): void => port.postMessage(message);
const onInternalError = (error: unknown): void =>
  reply({ kind: 'internalError', message: error instanceof Error ? (error.stack ?? error.message) : String(error) });

const plane = new DataPlane({
  settings: start.settings,
  stats: new StatsWriter(start.worker, start.workers),
  unroutedSlot: start.unroutedSlot,
  onInternalError,
});

async function carryOut(command: Exclude<WorkerCommand, { kind: 'activeRequests' }>): Promise<readonly BoundListener[]> {
  switch (command.kind) {
    case 'prepare':
      return plane.prepare(command.update);
    case 'commit':
      plane.commit();
      return [];
    case 'abort':
      plane.abort();
      return [];
    case 'drain':
      await plane.drain(command.timeoutMs);
      return [];
    case 'close':
      plane.close();
      return [];
  }
}

port.on('message', (command: WorkerCommand) => {
  const { id } = command;
  if (command.kind === 'activeRequests') {
    reply({ kind: 'count', id, count: plane.activeRequests(command.address, command.port) });
    return;
  }
  carryOut(command).then(
    (bound) => reply({ kind: 'done', id, bound }),
    (error: unknown) => {
      if (error instanceof ListenError)
        reply({ kind: 'listenError', id, code: error.code, listener: error.listener, address: error.address });
      else reply({ kind: 'failed', id, message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    },
  );
});
process.on('uncaughtException', onInternalError);
process.on('unhandledRejection', onInternalError);
