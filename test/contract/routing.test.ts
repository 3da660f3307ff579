/** The contract through the pure part: what is compiled, matched and explained, without a byte on a socket. */
import { describe, expect, test } from 'vitest';
import { loadText } from '../../src/config/load.ts';
import { compile } from '../../src/routing/compile.ts';
import { explain } from '../../src/routing/explain.ts';
import type { ClusterExplanation, Explanation } from '../../src/routing/explanation.ts';
import { Matcher } from '../../src/routing/matcher.ts';
import type { RequestView } from '../../src/routing/request-view.ts';
import { TITLED } from './cases.ts';
import { REFUSED } from './cases/refused.ts';
import { listenerOf, parseAsked, parseField, type ContractCase, type ContractRequest } from './contract.ts';
import { servicesYaml } from './services.ts';

const PORTS = { v1: 9081, v2: 9082, v3: 9083 };

function explainer({
  config,
  exactIstio,
}: ContractCase): (request: Pick<ContractRequest, 'ask' | 'with' | 'port' | 'from'>) => Explanation {
  const { snapshot, diagnostics } = loadText('contract.yaml', servicesYaml(PORTS) + config);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { table } = compile(snapshot, { istioCompat: exactIstio === true, meshNamespaces: ['books'] });
  const matcher = new Matcher(table);
  return ({ ask, with: fields = [], ...where }) => {
    const { method, scheme = 'http', authority, path, query } = parseAsked(ask);
    const headers = new Map<string, string>();
    for (const [name, value] of fields.map(parseField)) {
      const earlier = headers.get(name.toLowerCase());
      headers.set(name.toLowerCase(), earlier === undefined ? value : `${earlier},${value}`);
    }
    const view: RequestView = { method, scheme, authority, path, query, header: (name) => headers.get(name) };
    const listener = listenerOf(where);
    const explanation = explain(table, listener, view);
    const taken = explanation.rules.find(({ verdict }) => verdict === 'taken');
    expect(matcher.listener(listener)?.match(view)?.route.name, 'the matcher finds what explain says').toBe(taken?.name);
    return explanation;
  };
}

/** A subset of Istio's, or a Service of Kubernetes'. */
function versionOf({ subset, host }: Pick<ClusterExplanation, 'subset' | 'host'>): string {
  return subset === '' ? (/^reviews-(?<version>\w+)\./.exec(host)?.groups?.['version'] ?? host) : subset;
}

function check({ gets, answer, sent }: ContractRequest, { outcome, answer: own, forward }: Explanation): void {
  if (typeof gets === 'string') {
    expect(outcome).toBe('forward');
    const versions = forward?.clusters.filter(({ share }) => share > 0).map(versionOf);
    expect(versions).toContain(gets);
    if (sent?.[':path'] !== undefined) expect(forward?.path).toBe(sent[':path']);
    if (sent?.['host'] !== undefined) expect(forward?.clusters.map(({ authority }) => authority)).toContain(sent['host']);
    return;
  }
  // What only comes out when it is tried (a fault, a dead version, CORS) is at least taken by a rule.
  if (own === undefined) expect(outcome).toBe('forward');
  // gRPC has its own statuses, in a 200.
  else if (answer?.['grpc-status'] !== undefined) expect(own.status).toBeGreaterThanOrEqual(400);
  else expect([own.status, own.location]).toEqual([gets, answer?.['location'] ?? undefined]);
}

describe('routing', () => {
  test.each(TITLED)('%s', (_title, each) => {
    const explained = explainer(each);
    for (const request of each.requests ?? []) check(request, explained(request));
    for (const { shares, ...request } of each.shares ?? []) {
      const clusters = explained(request).forward?.clusters.filter(({ share }) => share > 0) ?? [];
      expect(Object.fromEntries(clusters.map((cluster) => [versionOf(cluster), cluster.share]))).toEqual(shares);
    }
  });
});

describe('refused', () => {
  const titled = REFUSED.map((each) => [each.vector === undefined ? each.title : `[${each.vector}] ${each.title}`, each] as const);
  test.each(titled)('%s', (_title, { config, path, says }) => {
    const errors = loadText('contract.yaml', servicesYaml(PORTS) + config).diagnostics.filter(({ severity }) => severity === 'error');
    expect(errors.map((error) => error.path)).toContain(path);
    expect(errors.map(({ message, hint = '' }) => `${message} ${hint}`).join('\n')).toContain(says);
  });
});
