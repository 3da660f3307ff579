import type { Diagnostic } from '../base/diagnostic.ts';
import type { LoadedResource } from './document.ts';
import type { Locate } from './report.ts';
export function readShortForm(_value: unknown, _locate: Locate, _loaded: LoadedResource[], _d: Diagnostic[]): void {}
