import type { Diagnostic } from '../base/diagnostic.ts';
import { resolveHost } from '../config/hosts.ts';
import { originOf } from '../config/origins.ts';
import type { AnyResource, Origin } from '../config/resources.ts';
import { mergeDelegates } from '../config/delegates.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { type ClusterOptions, ClusterTable } from './cluster-table.ts';
import { serviceIndex } from '../config/services.ts';
import type { ServiceIndex } from '../config/services.ts';

type Warned = Pick<AnyResource, 'kind' | 'metadata' | 'origin'> & { readonly spec?: object };

/** What one run of compile() works on and fills: passed to every part of it, gone when it returns. */
export interface Compilation {
  readonly snapshot: Snapshot;
  readonly services: ServiceIndex;
  readonly clusters: ClusterTable;
  /** `CompileOptions.istioCompat`. */
  readonly istioCompat: boolean;
  /** `CompileOptions.meshNamespaces`. */
  readonly meshNamespaces: ReadonlySet<string>;
  /** `resolveHost`, remembered: the same name gives the same string, whose hash is then known to every map it is looked up in. */
  resolve(host: string, namespace: string): string;
  /** Warnings only: a snapshot has been validated, and one odd resource must not take the others down. */
  warn(resource: Warned, warning: Pick<Diagnostic, 'code' | 'path' | 'message' | 'hint'>): void;
}

export function startCompilation(
  written: Snapshot,
  diagnostics: Diagnostic[],
  options: ClusterOptions & { readonly meshNamespaces?: readonly string[] },
): Compilation {
  const { istioCompat = false, meshNamespaces = [] } = options;
  const virtualServices = mergeDelegates(written.virtualServices);
  const snapshot = virtualServices === written.virtualServices ? written : { ...written, virtualServices };
  const services = serviceIndex(snapshot);
  const seen = new Set<string>();
  return {
    snapshot,
    services,
    clusters: new ClusterTable(services, options),
    istioCompat,
    meshNamespaces: new Set(meshNamespaces),
    resolve: rememberedResolver(services),
    warn: (resource, warning) => {
      const { kind, metadata } = resource;
      // A rule is compiled once per listener and port it is served on; its author wants to read about it once.
      const key = `${kind}/${metadata.namespace}/${metadata.name}/${warning.path}/${warning.code}/${warning.message}`;
      if (seen.has(key)) return;
      seen.add(key);
      const { name, namespace } = metadata;
      diagnostics.push({ ...originAt(resource, warning.path), ...warning, severity: 'warning', kind, namespace, name });
    },
  };
}

/** Where the rule stands that a path is about; else the resource. */
function originAt({ spec = {}, origin }: Warned, path: string): Origin {
  const { field, index } = /^spec\.(?<field>rules|http)\[(?<index>\d+)\]/.exec(path)?.groups ?? {};
  const rules: unknown = field === undefined ? undefined : Reflect.get(spec, field);
  const rule: unknown = Array.isArray(rules) ? rules[Number(index)] : undefined;
  return (typeof rule === 'object' && rule !== null ? originOf(rule) : undefined) ?? origin;
}

function rememberedResolver(services: ServiceIndex): Compilation['resolve'] {
  const byNamespace = new Map<string, Map<string, string>>();
  return (host, namespace) => {
    let resolved = byNamespace.get(namespace);
    if (resolved === undefined) {
      resolved = new Map();
      byNamespace.set(namespace, resolved);
    }
    let full = resolved.get(host);
    if (full === undefined) {
      full = resolveHost(host, namespace);
      const service = services.service(full);
      if (service?.host === full) full = service.host;
      resolved.set(host, full);
    }
    return full;
  };
}
