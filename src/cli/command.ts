/** What the verbs share: how one is added to the program, and the options several of them take. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Address, AddressError, parseAddress } from '../app/listen.ts';
import { stateDirectory } from '../app/state-directory.ts';
import { VERSION } from '../app/version.ts';
import { type Client, connectClient } from './client.ts';
import type { ExitCode } from './exit.ts';
import type { Io } from './io.ts';

/** Adds one verb to the program; `done` takes the exit code (0 if it is never called). */
export type AddCommand = (program: Command, io: Io, done: (code: ExitCode) => void) => Command;

/** Parser of an option that may be given several times. */
function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
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

export const stateOption = (): Option =>
  new Option('--state <DIR>', 'state directory (default: $SERIN_STATE, else $XDG_STATE_HOME/serin, else ~/.local/state/serin)');

/** For verbs that ask a running Serin. */
export const adminOption = (): Option =>
  new Option('--admin <ADDR:PORT>', 'address of the admin API (default: as the state directory says)').argParser(argument(parseAddress));

export const outputOption = (...formats: readonly string[]): Option =>
  new Option('-o, --output <FORMAT>', 'format of the output').choices(formats);

export const namespaceOption = (): Option => new Option('-n, --namespace <NS>', 'namespace').default('default');

export interface ClientOptions {
  readonly state?: string;
  readonly admin?: Address;
}

export function clientFor(options: ClientOptions, io: Io): Client {
  return connectClient(stateDirectory(options.state, io.env), options.admin, VERSION);
}
