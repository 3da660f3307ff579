/**
 * Names of tokens of the admin API, which stand for people and programs: in Rollouts that say who may approve, in the API, in records.
 *
 * `admin` is the token of the state directory; `engine` is what records call Serin itself and
 * `anonymous` whoever shows none, so no token can have these names.
 */
const NAME = /^[a-z0-9](?:[-a-z0-9._@]{0,61}[a-z0-9])?$/;

export const BOOTSTRAP_TOKEN = 'admin';
/** What records call those that have no token. */
const OTHERS: Readonly<Record<string, string>> = { engine: 'Serin itself', anonymous: 'whoever shows no token' };

/** Why no token can have this name; undefined when one can. `admin` is a name, but not one to be given. */
export function tokenNameProblem(name: string): string | undefined {
  const other = Object.hasOwn(OTHERS, name) ? OTHERS[name] : undefined;
  if (NAME.test(name)) return other && `'${name}' is what records call ${other}`;
  return 'is no name of a token: expected lower-case letters, digits, and . _ @ - between them, at most 63 characters';
}

export function isReservedTokenName(name: string): boolean {
  return name === BOOTSTRAP_TOKEN;
}
