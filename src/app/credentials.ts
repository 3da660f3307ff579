/**
 * The certificates and keys that the table in force names: read when a configuration comes into force, and again when one of their files changes, so that a renewed
 * certificate is served without a restart and without losing a connection.
 */
import { statSync } from 'node:fs';
import type { Clock } from '../base/clock.ts';
import { type Credential, type Credentials, credentialSource } from '../config/credential.ts';
import { type CredentialStores, type CredentialUse, readCredential } from '../config/read-credential.ts';
import type { RoutingTable } from '../routing/table.ts';
import type { Logger } from './logger.ts';

const LOOK_MS = 2000;

export interface CredentialStoreDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** A file has changed: what is in force is to be brought into force again. */
  readonly onChange: () => void;
}

export class CredentialStore {
  readonly #deps: CredentialStoreDeps;
  #last: Credentials = new Map();
  /** By path: when it was changed last and how long it was. */
  #files = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;

  constructor(deps: CredentialStoreDeps) {
    this.#deps = deps;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Every credential of the table. One that cannot be used any more is served as it was last, and said. */
  read(table: RoutingTable, stores: CredentialStores): Credentials {
    const found = new Map<string, Credential>();
    const files = new Map<string, string>();
    for (const [name, use] of credentialUses(table)) {
      const source = credentialSource(name);
      if (source.kind === 'files') {
        for (const path of [source.certificate, source.privateKey, source.ca, source.revocations])
          if (path !== undefined) files.set(path, stateOf(path));
      }
      const { credential, problems } = readCredential(source, use, stores, this.#deps.clock.nowMs());
      const usable = credential ?? this.#last.get(name);
      // The same Secret may be our certificate here and a CA there.
      if (usable !== undefined) found.set(name, { ...found.get(name), ...usable });
      if (credential === undefined)
        for (const { code, message } of problems)
          this.#deps.logger.error({ code }, `${message}; ${usable === undefined ? 'there is none' : 'the last good one is used'}`);
    }
    this.#last = found;
    this.#files = files;
    return found;
  }

  #look(): void {
    for (const [path, before] of this.#files) {
      if (stateOf(path) === before) continue;
      this.#deps.logger.info({ path }, 'a certificate or key has changed');
      this.#deps.onChange();
      return;
    }
  }
}

/** What of the table is to be read, and as what. */
export function* credentialUses({ listeners, clusters }: RoutingTable): Iterable<readonly [name: string, use: CredentialUse]> {
  for (const { certificates, clientCa } of listeners.flatMap(({ tls = [] }) => tls)) {
    for (const name of certificates) yield [name, 'own'];
    if (clientCa !== undefined) yield [clientCa, 'ca'];
  }
  for (const { tls } of clusters) {
    if (tls?.certificate !== undefined) yield [tls.certificate, 'own'];
    if (tls?.ca !== undefined) yield [tls.ca, 'ca'];
  }
}

function stateOf(path: string): string {
  const status = statSync(path, { throwIfNoEntry: false, bigint: true });
  return status === undefined ? 'missing' : `${status.mtimeNs} ${status.size} ${status.ino}`;
}
