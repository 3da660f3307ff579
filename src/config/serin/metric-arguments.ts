/** `{{args.NAME}}` and the few names of a release, in whatever a provider is told. */
import { nearest } from '../../base/nearest.ts';
import type { Place } from '../report.ts';
import type { MetricFields, MetricProvider } from './metric-spec.ts';

/** Beside `args.`: of the Rollout a metric is measured for. `interval` is the metric's, for the range of a query. */
export const RELEASE_NAMES = ['name', 'namespace', 'host', 'stable', 'canary', 'interval'] as const;
export type ReleaseNames = Readonly<Record<(typeof RELEASE_NAMES)[number], string>>;

const REFERENCE = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** References to nothing, each at the text it stands in. */
export function checkReferences(
  { provider, ...fields }: MetricFields & { readonly provider?: unknown },
  args: ReadonlySet<string>,
  place: Place,
): void {
  const known = [...RELEASE_NAMES, ...[...args].map((name) => `args.${name}`)];
  const visit = (value: unknown, at: Place): void => {
    if (typeof value === 'string') {
      for (const [, name = ''] of value.matchAll(REFERENCE)) {
        if (known.includes(name)) continue;
        const close = nearest(name, known);
        at.error(
          'E_REF',
          `{{${name}}} stands for nothing`,
          close === undefined ? `known: ${known.join(', ')}` : `did you mean {{${close}}}?`,
        );
      }
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, member] of Object.entries(value)) visit(member, at.at(Array.isArray(value) ? Number(key) : key));
    }
  };
  visit(provider, place.at('provider'));
  visit(fields.successCondition, place.at('successCondition'));
  visit(fields.failureCondition, place.at('failureCondition'));
}

/** A copy with every reference filled in. References are known to be right. */
export function fillIn<T extends MetricProvider | string | undefined>(value: T, names: ReleaseNames, args: ReadonlyMap<string, string>): T {
  const fill = (inner: unknown): unknown => {
    if (typeof inner === 'string') return inner.replace(REFERENCE, (whole, name: string) => valueOf(name, names, args) ?? whole);
    if (Array.isArray(inner)) return inner.map(fill);
    if (typeof inner === 'object' && inner !== null)
      return Object.fromEntries(Object.entries(inner).map(([key, member]) => [key, fill(member)]));
    return inner;
  };
  // The shape stays: texts become texts.
  return fill(value) as T;
}

function valueOf(name: string, names: ReleaseNames, args: ReadonlyMap<string, string>): string | undefined {
  if (name.startsWith('args.')) return args.get(name.slice('args.'.length));
  const known = RELEASE_NAMES.find((candidate) => candidate === name);
  return known === undefined ? undefined : names[known];
}
