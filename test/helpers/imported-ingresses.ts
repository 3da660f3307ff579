/** Ingresses of ingress-nginx, imported and compiled: what becomes of a request. */
import { expect } from 'vitest';
import type { Diagnostic } from '../../src/base/diagnostic.ts';
import { loadText } from '../../src/config/load.ts';
import { importText } from '../../src/importers/import.ts';
import { compile } from '../../src/routing/compile.ts';
import { Matcher } from '../../src/routing/matcher.ts';
import { parseRequest } from './golden-requests.ts';

export interface IngressPart {
  readonly name: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly host?: string;
  /** path, pathType, Service. */
  readonly paths: readonly (readonly [string, string, string])[];
  readonly tls?: string;
}

function ingress({ name, annotations = {}, host = 'a.example', paths, tls }: IngressPart): string {
  return JSON.stringify({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name,
      annotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value])),
    },
    spec: {
      ...(tls === undefined ? {} : { tls: [{ hosts: [host], secretName: tls }] }),
      rules: [
        {
          host,
          http: {
            paths: paths.map(([path, pathType, service]) => ({
              path,
              pathType,
              backend: { service: { name: service, port: { number: 80 } } },
            })),
          },
        },
      ],
    },
  });
}

const SERVICES = ['main', 'canary', 'other', 'third']
  .map((name) => `---\n${JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports: [{ port: 80 }] } })}\n`)
  .join('');

export interface Served {
  readonly diagnostics: readonly Diagnostic[];
  /** Shares of Services in percent, `500`, `404` or `308 Location`. */
  readonly ask: (path: string, ...headers: readonly string[]) => string;
}

export function serve(...parts: readonly IngressPart[]): Served {
  const { text, diagnostics } = importText('ingress-nginx', [{ file: 'in.yaml', content: parts.map(ingress).join('\n---\n') }]);
  const loaded = loadText('out.yaml', `${text}${SERVICES}`);
  expect(loaded.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { table } = compile(loaded.snapshot);
  const matcher = new Matcher(table);
  return {
    diagnostics,
    ask: (path, ...headers) => {
      const { view } = parseRequest([`GET http://a.example${path}`, ...headers].join('\n'));
      const action = matcher.listener('80')?.match(view)?.route.action;
      if (action === undefined) return '404';
      if (action.kind === 'redirect') return `redirect ${action.status}`;
      if (action.kind !== 'forward') return String(action.status);
      const shares = action.clusters.map(
        ({ cluster, weight }) => `${table.clusters[cluster]?.host.split('.')[0] ?? ''} ${(weight / action.totalWeight) * 100}`,
      );
      return shares.filter((share) => !share.endsWith(' 0')).join(', ');
    },
  };
}
