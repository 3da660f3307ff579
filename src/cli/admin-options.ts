/** Options of `serin up` about the admin address. */
import { InvalidArgumentError, Option } from 'commander';
import { type AdminSettings, DEFAULT_ADMIN } from '../app/admin-start.ts';
import { type Address, formatAddress, parseAddress } from '../app/listen.ts';
import { argument, collect } from './command.ts';
import { CliError, EXIT } from './exit.ts';

export interface AdminUpOptions {
  readonly admin: Address;
  readonly adminTlsCert?: string;
  readonly adminTlsKey?: string;
  readonly adminName?: readonly string[];
  readonly adminAnonymousRead?: true;
}

export function adminUpOptions(): Option[] {
  return [
    new Option('--admin <ADDR:PORT>', 'admin API and dashboard; beyond loopback only with TLS')
      .argParser(argument(parseAddress))
      .default(DEFAULT_ADMIN, formatAddress(DEFAULT_ADMIN)),
    new Option('--admin-tls-cert <PATH>', 'certificate of the admin API, PEM with its chain; read again when it changes'),
    new Option('--admin-tls-key <PATH>', 'its private key, PEM'),
    new Option('--admin-name <HOST>', 'host name the admin API answers for, beside localhost; may be repeated').argParser(
      (text: string, previous: readonly string[] | undefined) => collect(parseHostName(text), previous),
    ),
    new Option('--admin-anonymous-read', 'let everybody on this machine look without a token'),
  ];
}

/** @throws CliError 2 */
export function adminSettings({ admin, adminTlsCert, adminTlsKey, adminName, adminAnonymousRead }: AdminUpOptions): AdminSettings {
  if ((adminTlsCert === undefined) !== (adminTlsKey === undefined))
    throw new CliError(EXIT.usage, '--admin-tls-cert and --admin-tls-key go together');
  return {
    address: admin,
    anonymousRead: adminAnonymousRead ?? false,
    ...(adminName === undefined ? {} : { names: adminName }),
    ...(adminTlsCert === undefined || adminTlsKey === undefined ? {} : { tls: { certificate: adminTlsCert, privateKey: adminTlsKey } }),
  };
}

function parseHostName(text: string): string {
  if (/^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/i.test(text) || /^\[[0-9a-f:.]+\]$/i.test(text)) return text;
  throw new InvalidArgumentError('expected a host name as in an address, without port');
}
