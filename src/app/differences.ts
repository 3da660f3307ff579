/**
 * The overlay made visible: where what is in force is not what was declared, and what moved it there.
 *
 * Rules of a VirtualService are compared with those they were made from, wherever copies for cohorts have pushed them; such a copy is a difference
 * of its own. The same of rules of HTTPRoutes and GRPCRoutes.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ResourceSource } from '../admin/resource-types.ts';
import { resolveHost } from '../config/hosts.ts';
import type { Overlay } from '../config/overlay.ts';
import { OVERLAY_ANNOTATION } from '../config/overlay-change.ts';
import { ruleSourceOf } from '../config/origins.ts';
import { redactedPair } from '../config/redact.ts';
import type { AnyResource, IstioHttpRoute, VirtualService } from '../config/resources.ts';

type Difference = ResourceSource['differences'][number];

/**
 * @param declared  As it was written; undefined for what the overlay has added.
 * @param merged    The same with delegates merged in; undefined for a delegate.
 * @param effective Undefined for a delegate.
 */
export function differencesOf(
  declared: AnyResource | undefined,
  merged: AnyResource | undefined,
  effective: AnyResource | undefined,
  overlay: Overlay,
): Difference[] {
  if (effective === undefined) return [];
  if (declared === undefined || merged === undefined) {
    const by = effective.metadata.annotations?.[OVERLAY_ANNOTATION] ?? '';
    return [shown({ path: '', declared: null, effective: { spec: effective.spec }, by })];
  }
  if (isRoute(declared) && isRoute(effective)) return routeDifferences(declared, effective).map(shown);
  if (declared.kind !== 'VirtualService' || merged.kind !== 'VirtualService' || effective.kind !== 'VirtualService') return [];
  return ruleDifferences(declared, merged, effective, overlay).map(shown);
}

type GatewayApiRoute = Extract<AnyResource, { kind: 'HTTPRoute' | 'GRPCRoute' }>;

function isRoute(resource: AnyResource): resource is GatewayApiRoute {
  return resource.kind === 'HTTPRoute' || resource.kind === 'GRPCRoute';
}

/** A route of the Gateway API belongs to one shift or release at most, which puts copies before the rules they are of. */
function routeDifferences(
  { spec: { rules: written = [] } }: GatewayApiRoute,
  { metadata, spec: { rules = [] } }: GatewayApiRoute,
): Difference[] {
  const by = metadata.annotations?.[OVERLAY_ANNOTATION] ?? '';
  const found: Difference[] = [];
  let next = 0;
  for (const [position, rule] of rules.entries()) {
    const original = written[next];
    if (original === undefined || isCopy(rule, original))
      found.push({ path: `spec.rules[${position}]`, declared: null, effective: rule, by });
    else compare(original, rule, `spec.rules[${next++}]`, by, found);
  }
  return found;
}

function ruleDifferences(declared: VirtualService, merged: VirtualService, effective: VirtualService, overlay: Overlay): Difference[] {
  const { namespace, name } = declared.metadata;
  const written = declared.spec.http ?? [];
  const rules = merged.spec.http ?? [];
  const found: Difference[] = [];
  // The overlay keeps the order of the rules it is given and puts copies before them; a copy is told by its name.
  let next = 0;
  for (const [position, rule] of (effective.spec.http ?? []).entries()) {
    const by = moverOf(rule, namespace, overlay);
    const original = rules[next];
    if (original === undefined || isCopy(rule, original)) {
      found.push({ path: `spec.http[${position}]`, declared: null, effective: rule, by });
      continue;
    }
    next++;
    const source = ruleSourceOf(original);
    const isOwn = source?.namespace === namespace && source.name === name && written[source.index] !== undefined;
    const path = isOwn ? `spec.http[${source.index}]` : `spec.http[${position}]`;
    if (!isOwn) found.push({ path, declared: null, effective: original, by: 'delegate' });
    compare(original, rule, path, by, found);
  }
  return found;
}

function isCopy({ name }: { readonly name?: string }, original: { readonly name?: string }): boolean {
  return name !== original.name && /^serin-(?:cohort|preview)-/.test(name ?? '');
}

function moverOf(rule: IstioHttpRoute, namespace: string, overlay: Overlay): string {
  const host = resolveHost(rule.route?.[0]?.destination.host ?? '', namespace);
  const release = overlay.releases[host];
  return release === undefined ? 'shift' : `rollout ${release.rollout}`;
}

/** Leaves that differ; a list whose length differs is one difference. */
function compare(before: unknown, after: unknown, path: string, by: string, found: Difference[]): void {
  if (isDeepStrictEqual(before, after)) return;
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    for (const [index, item] of before.entries()) compare(item, after[index], `${path}[${index}]`, by, found);
    return;
  }
  if (!isMap(before) || !isMap(after)) {
    found.push({ path, declared: before ?? null, effective: after ?? null, by });
    return;
  }
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
    compare(before[key], after[key], /^\w+$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`, by, found);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown({ path, declared, effective, by }: Difference): Difference {
  const [before, after] = redactedPair(declared, effective);
  return { path, declared: before, effective: after, by };
}
