/** What is configured as a bootstrap for Envoy: the way from one machine to a data plane that others run. */
import { stringify } from 'yaml';
import type { Diagnostic } from '../base/diagnostic.ts';
import type { Credential, Credentials } from '../config/credential.ts';
import { credentialSource } from '../config/credential.ts';
import { readCredential } from '../config/read-credential.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { RoutingTable } from '../routing/table.ts';
import { staticBootstrap } from '../xds/bootstrap.ts';
import { envoyResources } from '../xds/translate.ts';
import { credentialUses } from './credentials.ts';
import { type Address, bindingsFor, type ListenMapping } from './listen.ts';

export interface EnvoyRendering {
  readonly listen: readonly ListenMapping[];
  readonly mesh: Address | 'off';
  /** Protocols a client may upgrade to. */
  readonly upgrades: readonly string[];
  /** Certificates and keys of Secrets are written out. */
  readonly withSecrets: boolean;
}

/** @throws ListenError `E_LISTEN_CONFLICT` when two listeners would have one address. */
export function renderEnvoy(
  snapshot: Snapshot,
  table: RoutingTable,
  { listen, mesh, upgrades, withSecrets }: EnvoyRendering,
): { readonly text: string; readonly diagnostics: readonly Diagnostic[] } {
  const addresses = new Map(bindingsFor(table, listen, mesh).map((binding) => [binding.listener, binding]));
  const resources = envoyResources(table, { addresses, upgrades, credentials: withSecrets ? secretsOf(table, snapshot) : new Map() });
  const text = stringify(staticBootstrap(resources), { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' });
  return { text, diagnostics: [...resources.unsupported, ...snapshot.rollouts.map(rolloutOmitted)] };
}

function secretsOf(table: RoutingTable, snapshot: Snapshot): Credentials {
  const found = new Map<string, Credential>();
  for (const [name, use] of credentialUses(table)) {
    const source = credentialSource(name);
    if (source.kind === 'files') continue;
    const { credential } = readCredential(source, use, snapshot, undefined);
    if (credential !== undefined) found.set(name, { ...found.get(name), ...credential });
  }
  return found;
}

function rolloutOmitted({ kind, metadata: { namespace, name }, origin: { file, line } }: Snapshot['rollouts'][number]): Diagnostic {
  return {
    file,
    line,
    column: line > 0 ? 1 : 0,
    kind,
    namespace,
    name,
    path: '',
    code: 'W_ENVOY_OMITTED',
    severity: 'warning',
    message: `Rollout ${namespace}/${name} is left out: Envoy serves the weights the files state and moves none`,
  };
}
