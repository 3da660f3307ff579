/**
 * The state of an analysis as text, to be kept where a crash cannot take it, and back.
 *
 * JSON with every double written so that it reads back as the same double; arrays that are mostly zero as index-value pairs. Reading checks
 * the text against the shape of a new state: a field too many, too few, or of another length is an error with its path, never a guess.
 */
import { METRICS, newAnalysis } from './analysis-state.ts';
import type { AnalysisState } from './analysis-state.ts';
import type { AnalysisSpec } from './analysis-spec.ts';

/** 2: blocks last for requests, too, and levels follow from the traffic. A state of version 1 is brought up to it. */
const VERSION = 2;

/** Not a state of this version: damaged, or another Serin's. The message says where. */
export class StateError extends Error {
  override readonly name = 'StateError';
}

export function encodeAnalysis(state: AnalysisState): string {
  const { spec: _spec, ...numbers } = state;
  return JSON.stringify({ version: VERSION, ...numbers }, (_key, value: unknown) =>
    value instanceof Float64Array ? compact(value) : value,
  );
}

/**
 * @param spec  The spec the analysis was started with; it is kept with the rollout, not in the text.
 * @throws StateError
 */
export function decodeAnalysis(text: string, spec: AnalysisSpec): AnalysisState {
  const state = newAnalysis(spec);
  const data = upgraded(parse(text));
  if (data['version'] !== VERSION)
    throw new StateError(`analysis state: version: expected ${VERSION}, found ${JSON.stringify(data['version'])}`);
  const { version: _version, ...numbers } = data;
  const { spec: _spec, ...target } = state;
  restore(target, numbers, '');
  // Leaves on the top level are numbers, copied by value.
  return Object.assign(state, target);
}

/** Version 1: blocks were slots of time, and no level was chosen before the next of them. */
function upgraded(data: Record<string, unknown>): Record<string, unknown> {
  const { plan, block } = data;
  if (data['version'] !== 1 || !isRecord(plan)) return data;
  return { ...data, version: VERSION, blockSlot: block, blockRequests: 0, plan: { ...plan, levels: { length: METRICS, pairs: [] } } };
}

function compact(values: Float64Array): unknown {
  let used = 0;
  for (const value of values) if (value !== 0) used++;
  if (2 * used > values.length) return [...values];
  const pairs: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value !== 0) pairs.push(i, value);
  }
  return { length: values.length, pairs };
}

function parse(text: string): Record<string, unknown> {
  try {
    const data: unknown = JSON.parse(text);
    if (isRecord(data)) return data;
  } catch (cause) {
    throw new StateError('analysis state: expected JSON', { cause });
  }
  throw new StateError('analysis state: expected an object');
}

/** Copies `data` into `target`, which has the shape it must have. */
function restore(target: object, data: unknown, path: string): void {
  if (!isRecord(data)) throw new StateError(`analysis state: ${path}: expected an object`);
  const extra = Object.keys(data).find((key) => !(key in target));
  if (extra !== undefined) throw new StateError(`analysis state: ${path}${extra}: unknown field`);
  for (const [key, shape] of Object.entries(target)) {
    const at = `${path}${key}`;
    const found = data[key];
    if (shape instanceof Float64Array) restoreArray(shape, found, at);
    else if (typeof shape === 'number') Object.assign(target, { [key]: numberAt(found, at) });
    else if (isRecord(shape)) restore(shape, found, `${at}.`);
  }
}

function restoreArray(target: Float64Array, found: unknown, path: string): void {
  if (Array.isArray(found)) {
    if (found.length !== target.length)
      throw new StateError(`analysis state: ${path}: expected ${target.length} numbers, found ${found.length}`);
    for (const [i, value] of found.entries()) target[i] = numberAt(value, `${path}[${i}]`);
    return;
  }
  if (!isRecord(found) || found['length'] !== target.length || !Array.isArray(found['pairs'])) {
    throw new StateError(`analysis state: ${path}: expected ${target.length} numbers`);
  }
  target.fill(0);
  const pairs: readonly unknown[] = found['pairs'];
  for (let i = 0; i < pairs.length; i += 2) {
    const index = numberAt(pairs[i], `${path}.pairs[${i}]`);
    if (!Number.isInteger(index) || index < 0 || index >= target.length) {
      throw new StateError(`analysis state: ${path}.pairs[${i}]: expected an index below ${target.length}, found ${index}`);
    }
    target[index] = numberAt(pairs[i + 1], `${path}.pairs[${i + 1}]`);
  }
}

function numberAt(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new StateError(`analysis state: ${path}: expected a number`);
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
