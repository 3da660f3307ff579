/** The thread of a data-plane worker: carries out commands for its DataPlane and survives any exception a request causes (reliability P85). */
import { parentPort, workerData } from 'node:worker_threads';
import { StatsWriter } from '../telemetry/shared-stats.ts';
import { DataPlane } from './data-plane.ts';
import { ListenError } from './options.ts';
import type { BoundListener } from './options.ts';
import { fromPieces, type TablePiece } from './table-pieces.ts';
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
  worker: start.worker,
  unroutedSlot: start.unroutedSlot,
  onInternalError,
  onAccessLines: (lines) => reply({ kind: 'accessLines', lines }),
  onSpans: (spans) => reply({ kind: 'spans', spans }),
});

let pieces: TablePiece[] = [];

async function carryOut(
  command: Exclude<WorkerCommand, { kind: 'activeRequests' | 'accessTaken' | 'spansTaken' }>,
): Promise<readonly BoundListener[]> {
  switch (command.kind) {
    case 'piece':
      pieces.push(command.piece);
      return [];
    case 'prepare': {
      const table = fromPieces(command.update.table, pieces);
      pieces = [];
      return plane.prepare({ ...command.update, table });
    }
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
  if (command.kind === 'accessTaken') {
    plane.accessTaken(command.chars, command.dropped);
    return;
  }
  if (command.kind === 'spansTaken') {
    plane.spansTaken(command.count);
    return;
  }
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
