/** Configurations of the Gateway API in tests: what becomes of a request, in a few words. */
import { expect } from 'vitest';
import { formatDiagnostic, hasErrors } from '../../src/base/diagnostic.ts';
import { loadText } from '../../src/config/load.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';
import { compile } from '../../src/routing/compile.ts';
import { explain } from '../../src/routing/explain.ts';
import type { Explanation } from '../../src/routing/explain.ts';
import { Matcher } from '../../src/routing/matcher.ts';
import type { Route, RoutingTable } from '../../src/routing/table.ts';
import { parseRequest } from './golden-requests.ts';

/** Services `v1`, `v2` and `v3` with one endpoint each, and `empty` with none; all on port 8080. */
export const BACKENDS = `${['v1', 'v2', 'v3']
  .map(
    (name, index) => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ name: http, port: 8080 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: http, port: ${9081 + index} }]
endpoints: [{ addresses: [127.0.0.1] }]
---`,
  )
  .join('')}
apiVersion: v1
kind: Service
metadata: { name: empty }
spec: { ports: [{ name: http, port: 8080 }] }
`;

/** A Gateway `front` with one HTTP listener. */
export function gateway(port = 80): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: front }
spec: { gatewayClassName: serin, listeners: [{ name: http, port: ${port}, protocol: HTTP }] }
`;
}

/** @param rules YAML of a list in flow style or with lines indented by four. @param more Further lines of `spec`. */
export function route(
  kind: 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute',
  name: string,
  rules: string,
  more = '  parentRefs: [{ name: front }]',
): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: { name: ${name} }
spec:
${more}
  rules: ${rules}
`;
}

/** A rule's `backendRefs`, and no more. */
export function to(...names: readonly string[]): string {
  return `backendRefs: [${names.map((name) => `{ name: ${name}, port: 8080 }`).join(', ')}]`;
}

export function snapshotOf(...documents: readonly string[]): Snapshot {
  const { snapshot, diagnostics } = loadText('input.yaml', documents.join('\n---\n'));
  if (hasErrors(diagnostics)) throw new Error(diagnostics.map(formatDiagnostic).join('\n'));
  return snapshot;
}

export interface Served {
  readonly table: RoutingTable;
  /** Codes and messages of what compiling found. */
  readonly warnings: readonly string[];
  /** @param request `GET http://example.com/path`, and header lines below it; `@LISTENER` where it is not `80`. */
  readonly explain: (request: string) => Explanation;
  /** `v1`, `v1 75 %, v2 25 %`, `500`, `302 http://…`; a destination that is missing is `500` or `503`. */
  readonly outcome: (request: string) => string;
}

export function served(...documents: readonly string[]): Served {
  const { table, diagnostics } = compile(snapshotOf(BACKENDS, ...documents));
  const matcher = new Matcher(table);
  const explained = (text: string): Explanation => {
    const [line = '', ...headers] = text.split('\n');
    const { listener, view } = parseRequest([/ @\S+$/.test(line) ? line : `${line} @80`, ...headers].join('\n'));
    const explanation = explain(table, listener, view);
    const taken = explanation.rules.find(({ verdict }) => verdict === 'taken');
    expect(matcher.listener(listener)?.match(view)?.route.source, 'the matcher finds what explain says').toEqual(taken?.source);
    return explanation;
  };
  return {
    table,
    warnings: diagnostics.map(({ code, message }) => `${code} ${message}`),
    explain: explained,
    outcome: (request) => outcome(explained(request)),
  };
}

function outcome({ answer, forward }: Explanation): string {
  if (answer !== undefined) return answer.location === undefined ? String(answer.status) : `${answer.status} ${answer.location}`;
  const clusters = forward?.clusters ?? [];
  return clusters
    .map(({ name, missing, missingStatus, share }) => {
      const [, , , host = ''] = name.split('|');
      const where = missing === undefined ? host.split('.')[0] : String(missingStatus ?? 503);
      return clusters.length === 1 ? where : `${where} ${Math.round(share * 1000) / 10} %`;
    })
    .join(', ');
}

/** Of the listener on port 80, in the order in which they are asked. */
export function routesOf({ listeners }: RoutingTable, listener = '80'): readonly Route[] {
  return listeners.find(({ name }) => name === listener)?.virtualHosts.flatMap(({ routes }) => routes) ?? [];
}
