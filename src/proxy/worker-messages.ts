/** What is said between the control plane and a data-plane worker; never anything per request. */
import type { SpanRecord } from '../telemetry/span-record.ts';
import type { AccessLines } from './access-log.ts';
import type { DataPlaneUpdate } from './data-plane.ts';
import type { BoundListener, DataPlaneSettings } from './options.ts';
import type { TablePiece } from './table-pieces.ts';

/** How a worker is started. */
export interface WorkerStart {
  readonly settings: DataPlaneSettings;
  readonly worker: number;
  readonly workers: number;
  readonly unroutedSlot: number;
}

export type WorkerCommand =
  /** Of the table that the next `prepare` is about. */
  | { readonly kind: 'piece'; readonly id: number; readonly piece: TablePiece }
  /** Its table is the rest beside the pieces. */
  | { readonly kind: 'prepare'; readonly id: number; readonly update: DataPlaneUpdate }
  | { readonly kind: 'commit' | 'abort' | 'close'; readonly id: number }
  | { readonly kind: 'activeRequests'; readonly id: number; readonly address: string; readonly port: number }
  | { readonly kind: 'spansTaken'; readonly count: number }
  | { readonly kind: 'accessTaken'; readonly chars: number; readonly dropped: number }
  | { readonly kind: 'drain'; readonly id: number; readonly timeoutMs: number };

export type WorkerReply =
  | { readonly kind: 'done'; readonly id: number; readonly bound: readonly BoundListener[] }
  | { readonly kind: 'count'; readonly id: number; readonly count: number }
  | { readonly kind: 'listenError'; readonly id: number; readonly code: string; readonly listener: string; readonly address: string }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  /** Many lines at once; answered by `accessTaken`. */
  | { readonly kind: 'accessLines'; readonly lines: AccessLines }
  /** Many at once; answered by `spansTaken`. */
  | { readonly kind: 'spans'; readonly spans: readonly SpanRecord[] }
  /** An exception that ended one request, not the worker. */
  | { readonly kind: 'internalError'; readonly message: string };
