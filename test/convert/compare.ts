/** Asks a configuration and what it was converted to the same, and lists what no change accounts for. */
import { expect } from 'vitest';
import { type Diagnostic, formatDiagnostic, hasErrors } from '../../src/base/diagnostic.ts';
import { seededRandom, type Random } from '../../src/base/random.ts';
import { buildSnapshot } from '../../src/config/build-snapshot.ts';
import { loadText } from '../../src/config/load.ts';
import { renderResources } from '../../src/config/render.ts';
import type { AnyResource } from '../../src/config/resources.ts';
import { compile } from '../../src/routing/compile.ts';
import type { Conversion } from '../../src/routing/convert/to-gateway-api.ts';
import type { RoutingTable } from '../../src/routing/table.ts';
import { type Decision, decide } from '../helpers/decision.ts';
import type { Asked } from './requests.ts';

export interface Converted {
  readonly before: RoutingTable;
  readonly after: RoutingTable;
  readonly changes: readonly Diagnostic[];
  readonly yaml: string;
  /** Rules by name: `NAME spec.http[1]`. */
  readonly places: ReadonlyMap<string, string>;
}

export type Convert = (resources: readonly AnyResource[]) => Conversion;

/** Undefined: the text is nothing that is accepted. What it becomes must be. */
export function converted(
  text: string,
  convert: Convert,
  prepare: (resource: AnyResource) => AnyResource = (resource) => resource,
): Converted | undefined {
  const loaded = loadText('input.yaml', text);
  if (hasErrors(loaded.diagnostics)) return undefined;
  const { resources, changes } = convert(loaded.resources);
  const yaml = renderResources(resources);
  const again = loadText('output.yaml', yaml);
  expect(again.diagnostics.filter(({ severity }) => severity === 'error').map(formatDiagnostic), `${text}\n${yaml}`).toEqual([]);
  const before = compile(buildSnapshot(loaded.resources.map(prepare))).table;
  return { before, after: compile(again.snapshot).table, changes, yaml, places: new Map(loaded.resources.flatMap(placesOf)) };
}

function placesOf(resource: AnyResource): readonly (readonly [string, string])[] {
  const { name } = resource.metadata;
  if (resource.kind === 'VirtualService')
    return (resource.spec.http ?? []).map((rule, at) => [rule.name ?? '', `${name} spec.http[${at}]`]);
  if (resource.kind !== 'HTTPRoute' && resource.kind !== 'GRPCRoute') return [];
  return (resource.spec.rules ?? []).map((rule: { readonly name?: string }, at: number) => [rule.name ?? '', `${name} spec.rules[${at}]`]);
}

/** What a change must be about to excuse a difference. What replaces a path depends on which of a rule's matches holds. */
const EXCUSES: Readonly<Record<string, RegExp>> = {
  answer: /directResponse|destination$|redirect/,
  location: /redirect|match\[\d+\]/,
  clusters: /destination$|weight$|backendRefs$/,
  host: /authority|headers|destination$|backendRefs/,
  path: /rewrite|spec\.http\[\d+\]$|uri$|match\[\d+\]|backendRefs\[\d+\]\.filters/,
  retries: /retries|retry/,
  fault: /fault/,
  mirrors: /mirrors|requestMirror/,
  cors: /corsPolicy|filters\.cors/,
  requestHeaders: /headers|filters$/,
  responseHeaders: /headers|filters$|directResponse/,
};
const OTHER_RULE = /\.uri$|match\[\d+\]|spec\.http\[\d+\]$|body$/;

function unexcused({ changes, places }: Converted, before: Decision, after: Decision): readonly string[] {
  const nameOf = ({ rule, source }: Decision): string => {
    const base = places.has(rule) ? rule : rule.replace(/-\d+$/, '');
    return places.has(base) ? base : source?.path === '' ? 'default' : '';
  };
  const [was, is] = [nameOf(before), nameOf(after)];
  const saidOf = (rule: string, what: RegExp): boolean => {
    const [name = '', path = ''] = (places.get(rule) ?? '').split(' ');
    return path !== '' && changes.some((change) => change.name === name && change.path.startsWith(path) && what.test(change.path));
  };
  const isClosed = changes.some(({ path }) => path === 'spec.http');
  if (isClosed && before.facets['answer'] === '404' && after.facets['answer'] === '500') return [];
  const left = Object.entries(before.facets).flatMap(([facet, text]) => {
    const now = after.facets[facet] ?? '';
    return text === now || saidOf(was, EXCUSES[facet] ?? /^$/) ? [] : [`${facet}: ${now}, not ${text}`];
  });
  // Rules that have come to do the same may change places.
  if (was === is || left.length === 0) return left;
  return saidOf(was, OTHER_RULE) || saidOf(is, OTHER_RULE) ? [] : [`taken by ${is || 'nobody'}, not by ${was || 'nobody'}`, ...left];
}

export interface Tried {
  /** Configurations that were accepted. */
  readonly used: number;
  /** Requests with which something else is done afterwards. */
  readonly differences: number;
}

export interface Trial {
  readonly seed: number;
  readonly samples: number;
  readonly requests: number;
  readonly sample: (random: Random) => string;
  readonly request: (random: Random) => Asked;
  readonly convert: (text: string) => Converted | undefined;
}

/** Fails with the seed, the request, both texts and the changes where something is left that no change accounts for. */
export function tryAll({ seed, samples, requests, sample, request, convert }: Trial): Tried {
  let used = 0;
  let differences = 0;
  for (let number = 0; number < samples; number++) {
    const random = seededRandom(seed + number);
    const text = sample(random);
    const both = convert(text);
    if (both === undefined) continue;
    used++;
    for (let count = 0; count < requests; count++) {
      const asked = request(random);
      const [before, after] = [both.before, both.after].map((table) => decide(table, asked.listener, asked.view));
      if (before === undefined || after === undefined) continue;
      if (JSON.stringify(before.facets) !== JSON.stringify(after.facets)) differences++;
      const found = unexcused(both, before, after);
      if (found.length === 0) continue;
      const rules: string = both.yaml
        .split('---\n')
        .filter((document) => /kind: (?:HTTPRoute|VirtualService|Gateway)/.test(document))
        .join('---\n');
      const said = both.changes.map(formatDiagnostic).join('\n');
      expect.fail(`${found.join('\n')}\nSERIN_SEED=${seed + number}\n${asked.text}\n${text}\n${rules}\n${said}`);
    }
  }
  return { used, differences };
}
