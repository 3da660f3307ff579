/** What columns of `serin get` are made of. */
import type { ApiObject } from '../admin/api-types.ts';
import { ORIGIN_ANNOTATION } from '../app/resource-view.ts';
import { OVERLAY_ANNOTATION } from '../config/overlay-change.ts';

export type Cell = (object: ApiObject) => string;

export interface Column {
  readonly heading: string;
  readonly cell: Cell;
  /** Shown with `-o wide` only. */
  readonly wide?: true;
}

/** A value deep inside an object as a short text: lists joined with `,`, nothing for what is not there. */
export function at(...path: readonly string[]): Cell {
  return (object) => textOf(valueAt(object, path));
}

export function valueAt(object: unknown, path: readonly string[]): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return object;
  if (Array.isArray(object)) return object.map((item: unknown) => valueAt(item, path));
  if (typeof object !== 'object' || object === null) return undefined;
  return valueAt(Object.entries(object).find(([key]) => key === name)?.[1], rest);
}

export function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map(textOf).join(',');
  if (typeof value === 'object') {
    return Object.entries(value)
      .map(([key, member]) => `${key}=${textOf(member)}`)
      .join(',');
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export const countOf = (value: unknown): string => (Array.isArray(value) ? String(value.length) : '');

export const name: Column = { heading: 'NAME', cell: at('metadata', 'name') };
export const namespace: Column = { heading: 'NAMESPACE', cell: at('metadata', 'namespace') };
export const origin: Column = { heading: 'FROM', cell: at('metadata', 'annotations', ORIGIN_ANNOTATION), wide: true };
export const overlay: Column = { heading: 'OVERLAY', cell: at('metadata', 'annotations', OVERLAY_ANNOTATION) };
export const warnings: Column = {
  heading: 'WARNINGS',
  cell: (object) => countOf(valueAt(object, ['status', 'validationMessages'])),
  wide: true,
};

/** `45s`, `12m`, `3h`, `8d`, as kubectl shows ages. */
export function ageText(seconds: number): string {
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
