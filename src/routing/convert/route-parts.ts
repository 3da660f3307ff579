/** Parts of routes of the Gateway API: their metadata, hostnames, names of rules, and how many rules one may have. */
import type { GatewayApiHttpRule, ParentReference } from '../../config/gateway-api/types.ts';
import { hostCovers } from '../../config/hosts.ts';
import type { ObjectMeta } from '../../config/resources.ts';
import type { ConvertedRule } from './http-rule.ts';
import { labelOf } from './kubernetes-services.ts';

/** Limits of httproute_types.go: rules of a route, matches of a rule and of a route. */
const MOST_RULES = 16;
const MOST_RULE_MATCHES = 64;
const MOST_MATCHES = 128;

/** Of Hostname (shared_types.go). */
const HOSTNAME = /^(?:\*\.)?[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const ADDRESS = /^[0-9.]+$|:/;
export function isHostname(host: string): boolean {
  return HOSTNAME.test(host) && !ADDRESS.test(host);
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** What is the author's own, and the age, which decides between routes. */
export function commonMetadata({ labels, annotations, creationTimestamp }: ObjectMeta): Omit<ObjectMeta, 'name' | 'namespace'> {
  const { [LAST_APPLIED]: _applied, ...kept } = annotations ?? {};
  return {
    ...(labels === undefined ? {} : { labels }),
    ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
  };
}

/** Names of rules must be labels and no two alike. */
export function withNames(rules: readonly (ConvertedRule & { readonly name: string })[]): readonly GatewayApiHttpRule[] {
  const taken = new Set<string>();
  return rules.flatMap(({ rule, blocks, name: written }): readonly GatewayApiHttpRule[] => {
    const parts: GatewayApiHttpRule[] = [];
    for (let at = 0; at < blocks.length; at += MOST_RULE_MATCHES) {
      const matches = blocks.slice(at, at + MOST_RULE_MATCHES).map(({ to }) => to);
      const wanted = written === '' ? '' : labelOf(written);
      let name = wanted;
      for (let count = 2; name !== '' && taken.has(name); count++) name = `${wanted}-${count}`;
      taken.add(name);
      const isAny = matches.length === 1 && Object.keys(matches[0] ?? {}).length === 0;
      parts.push({ ...(name === '' ? {} : { name }), ...(isAny ? {} : { matches }), ...rule });
    }
    return parts;
  });
}

export function inChunks(rules: readonly GatewayApiHttpRule[]): readonly (readonly GatewayApiHttpRule[])[] {
  const chunks: GatewayApiHttpRule[][] = [];
  let matches = 0;
  for (const rule of rules) {
    const own = Math.max(1, rule.matches?.length ?? 0);
    const last = chunks.at(-1);
    if (last === undefined || last.length === MOST_RULES || matches + own > MOST_MATCHES) {
      chunks.push([rule]);
      matches = own;
    } else {
      last.push(rule);
      matches += own;
    }
  }
  return chunks;
}

/** Where two hosts meet: the narrower one. */
export function narrower(a: string, b: string): string | undefined {
  if (hostCovers(a, b)) return b;
  return hostCovers(b, a) ? a : undefined;
}

export function distinct(parents: readonly ParentReference[]): readonly ParentReference[] {
  return [...new Map(parents.map((parent) => [JSON.stringify(parent), parent])).values()];
}
