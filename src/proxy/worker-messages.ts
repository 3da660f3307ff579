/** What is said between the control plane and a data-plane worker; never anything per request. */
import type { DataPlaneUpdate } from './data-plane.ts';
import type { BoundListener, DataPlaneSettings } from './options.ts';

/** How a worker is started. */
export interface WorkerStart {
  readonly settings: DataPlaneSettings;
  readonly worker: number;
  readonly workers: number;
  readonly unroutedSlot: number;
}

export type WorkerCommand =
  | { readonly kind: 'prepare'; readonly id: number; readonly update: DataPlaneUpdate }
  | { readonly kind: 'commit' | 'abort' | 'close'; readonly id: number }
  | { readonly kind: 'activeRequests'; readonly id: number; readonly address: string; readonly port: number }
  | { readonly kind: 'drain'; readonly id: number; readonly timeoutMs: number };

export type WorkerReply =
  | { readonly kind: 'done'; readonly id: number; readonly bound: readonly BoundListener[] }
  | { readonly kind: 'count'; readonly id: number; readonly count: number }
  | { readonly kind: 'listenError'; readonly id: number; readonly code: string; readonly listener: string; readonly address: string }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  /** An exception that ended one request, not the worker. */
  | { readonly kind: 'internalError'; readonly message: string };
