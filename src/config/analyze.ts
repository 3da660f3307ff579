import type { Diagnostic } from '../base/diagnostic.ts';
import type { LoadedResource } from './document.ts';
import type { Snapshot } from './snapshot.ts';
export function analyze(_s: Snapshot, _l: readonly LoadedResource[], _d: Diagnostic[]): void {}
