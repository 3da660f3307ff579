/** What is in force, as one value, and why something else could not come into force. */
import type { Diagnostic } from '../base/diagnostic.ts';
import type { FilesRead } from '../config/load.ts';
import type { Manifest } from '../config/manifest.ts';
import type { Overlay } from '../config/overlay.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { type BoundListener, ListenError } from '../proxy/options.ts';
import type { GatewayApiStatuses } from '../routing/gateway-api/status.ts';
import type { RoutingTable } from '../routing/table.ts';
import type { IdleVersions } from '../workload/idle-versions.ts';
import type { ConditionTimes } from './condition-times.ts';
import { describeListenError } from './listen.ts';

/** A configuration that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super('the configuration is invalid');
    this.name = 'ConfigError';
    this.diagnostics = diagnostics;
  }
}

/** Everything about the configuration that serves now; replaced as a whole. */
export interface InForce {
  /** As the files say, and what was applied over the admin API. */
  readonly base: Snapshot;
  /** What `base` was read from; also when the files have changed since and were refused. */
  readonly files: FilesRead;
  /** Applied over the admin API; also those that a file has now, or that are left out. */
  readonly manifests: readonly Manifest[];
  readonly overlay: Overlay;
  /** With the overlay applied. */
  readonly effective: Snapshot;
  /** Names not resolved, and without the endpoints of processes. */
  readonly compiled: RoutingTable;
  /** Of the Gateway API's resources, as compiling found them. */
  readonly statuses: GatewayApiStatuses;
  readonly conditionTimes: ConditionTimes;
  /** Versions that Serin could run and that need not run. */
  readonly idle: IdleVersions;
  /** As the data plane has it. */
  readonly table: RoutingTable;
  readonly bound: readonly BoundListener[];
  /** Warnings about the files alone. */
  readonly fileDiagnostics: readonly Diagnostic[];
  /** All warnings: also of the overlay and of compiling. */
  readonly diagnostics: readonly Diagnostic[];
  /** Wall time since when this version is in force, epoch ms. */
  readonly sinceMs: number;
}

/** Why something else came into force, and by whom. */
export interface Cause {
  readonly cause: 'files' | 'api' | 'shift' | 'rollout';
  /** Name of the token; empty where nobody asked. */
  readonly by: string;
}

/** The last reload that was refused, while nothing good has followed. */
export interface Refused {
  readonly atMs: number;
  readonly diagnostics: readonly Diagnostic[];
}

/** What could come into force. */
export type Candidate = Omit<InForce, 'table' | 'bound' | 'sinceMs' | 'conditionTimes'>;

/** Versions that the new configuration runs have not become ready. */
export class NotReadyError extends Error {
  readonly code = 'E_PROC_NOT_READY';

  constructor(versions: readonly string[]) {
    super(`not ready in time: ${versions.join('; ')}`);
  }
}

/** Why something could not come into force, as diagnostics whatever it was. */
export function diagnosticsOf(error: unknown): readonly Diagnostic[] {
  if (error instanceof ConfigError) return error.diagnostics;
  const code = error instanceof NotReadyError || error instanceof ListenError ? error.code : 'E_INTERNAL';
  const message =
    error instanceof ListenError ? describeListenError(error) : error instanceof NotReadyError ? error.message : 'see the log of serin up';
  return [{ file: '', line: 0, column: 0, code, severity: 'error', kind: '', namespace: '', name: '', path: '', message }];
}
