/** What the verbs share: how one is added to the program, and the options several of them take. */
import { isIP } from 'node:net';
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type Address,
  AddressError,
  formatAddress,
  type ListenMapping,
  type MeshMapping,
  parseAddress,
  parseListenMapping,
  parseMeshMapping,
} from '../app/listen.ts';
import { DEFAULT_MESH } from '../app/serve.ts';
import { stateDirectory } from '../app/state-directory.ts';
import { VERSION } from '../app/version.ts';
import { parseDuration } from '../base/duration.ts';
import { type Client, connectClient } from './client.ts';
import { clientToken } from './client-token.ts';
import type { ExitCode } from './exit.ts';
import type { Io } from './io.ts';

/** Adds one verb to the program; `done` takes the exit code (0 if it is never called). */
export type AddCommand = (program: Command, io: Io, done: (code: ExitCode) => void) => Command;

/** Parser of an option that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** Makes a parser of `text -> T` that throws into one whose errors commander prints with the option's name. */
export function argument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof AddressError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}

export const fileOption = (): Option => new Option('-f, --file <PATH>', 'file or directory of YAML; may be repeated').argParser(collect);

export const listenOption = (): Option =>
  new Option(
    '--listen <[NS/NAME:]PORT=ADDR:PORT>',
    'where a port that a Gateway declares is bound (default: 0.0.0.0 and the same port); may be repeated',
  ).argParser((text: string, previous: readonly ListenMapping[] | undefined) => [...(previous ?? []), argument(parseListenMapping)(text)]);

export const meshOption = (): Option =>
  new Option('--mesh <ADDR:PORT>', "listener for services by their own name, or 'off'")
    .argParser((text) => (text === 'off' ? text : argument(parseAddress)(text)))
    .default(DEFAULT_MESH, formatAddress(DEFAULT_MESH));

export const meshForOption = (): Option =>
  new Option(
    '--mesh-for <NAMESPACE=ADDR:PORT>',
    'the same for callers that belong to a namespace: its consumer routes and sourceNamespace hold there; may be repeated',
  ).argParser((text: string, previous: readonly MeshMapping[] | undefined) => [...(previous ?? []), argument(parseMeshMapping)(text)]);

export const stateOption = (): Option =>
  new Option('--state <DIR>', 'state directory (default: $SERIN_STATE, else $XDG_STATE_HOME/serin, else ~/.local/state/serin)');

/** For verbs that ask a running Serin. */
/** Checked by the API, which says what is wrong with it. */
export const reasonOption = (): Option => new Option('--reason <TEXT>', 'why, for the record and the audit log');

export const adminOption = (): Option =>
  new Option('--admin <ADDR:PORT>', 'address of the admin API (default: as the state directory says)').argParser(argument(parseAddress));

export const tokenFileOption = (): Option =>
  new Option('--token-file <PATH>', 'file with the token to show (default: $SERIN_TOKEN, else the one in the state directory)');

export const outputOption = (...formats: readonly string[]): Option =>
  new Option('-o, --output <FORMAT>', 'format of the output').choices(formats);

export const watchOption = (description: string): Option => new Option('-w, --watch', description);

export const istioCompatOption = (description: string): Option => new Option('--istio-compat', description);

/** `region/zone/sub-zone`, as much of it as is known. */
export const localityOption = (description: string): Option =>
  new Option('--locality <REGION/ZONE/SUBZONE>', description).argParser((text) => {
    if (/^[^/*\s]+(?:\/[^/*\s]+){0,2}$/.test(text)) return text;
    throw new InvalidArgumentError(`expected REGION, REGION/ZONE or REGION/ZONE/SUBZONE, found '${text}'`);
  });

/** Protocols that would carry requests past the rules, or that Serin speaks itself. */
const NO_UPGRADES: ReadonlySet<string> = new Set(['h2', 'h2c', 'http', 'tls', 'connect-udp', 'connect-ip']);

/** A protocol of an Upgrade field (RFC 9110 §7.8), lower case; may be repeated. */
export const upgradeOption = (description: string): Option =>
  new Option('--upgrade <PROTOCOL>', `${description}; may be repeated`).argParser(
    (text: string, previous: readonly string[] | undefined) => {
      const name = text.toLowerCase();
      if (!/^[a-z0-9!#$%&'*+.^_`|~-]+(?:\/[a-z0-9!#$%&'*+.^_`|~-]+)?$/.test(name))
        throw new InvalidArgumentError(`expected the name of a protocol as in an Upgrade field, found '${text}'`);
      if (NO_UPGRADES.has(name.replace(/\/.*/, '')))
        throw new InvalidArgumentError(`'${text}' is not passed on: requests in it would not be seen by any rule`);
      return [...(previous ?? []), name];
    },
  );

export const trustedProxyOption = (): Option =>
  new Option(
    '--trusted-proxy <CIDR>',
    'believe what clients at these addresses say in X-Forwarded-* and X-Envoy-* fields; may be repeated',
  ).argParser((text: string, previous: readonly string[] | undefined) => {
    if (!isCidr(text)) throw new InvalidArgumentError(`expected an IP address or a block such as 10.0.0.0/8, found '${text}'`);
    return [...(previous ?? []), text];
  });

function isCidr(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

export const namespaceOption = (): Option => new Option('-n, --namespace <NS>', 'namespace').default('default');

export interface ClientOptions {
  readonly state?: string;
  readonly admin?: Address;
  readonly tokenFile?: string;
}

export function clientFor(options: ClientOptions, io: Io): Client {
  const directory = stateDirectory(options.state, io.env);
  return connectClient(directory, options.admin, clientToken(options.tokenFile, directory, io), VERSION);
}

/** Seconds. Days, which `parseDuration` does not know as Go does not, are what tokens and links live by. @param maxSeconds Whole days. */
export function lifeUpTo(maxSeconds: number): (text: string) => number {
  return (text) => {
    const days = /^(\d{1,4})d$/.exec(text)?.[1];
    const seconds = days === undefined ? Math.floor((parseDuration(text) ?? 0) / 1000) : Number(days) * 86_400;
    if (seconds < 1) throw new InvalidArgumentError(`expected a duration as 30d, 12h or 90m, found '${text}'`);
    if (seconds > maxSeconds) throw new InvalidArgumentError(`expected at most ${maxSeconds / 86_400}d, found '${text}'`);
    return seconds;
  };
}
