/**
 * `serin token create NAME [--scope read|operate|admin] [--expires 30d] | list | revoke NAME`: who may ask the admin API for what.
 *
 * The token itself goes to stdout, alone, once: `serin token create ci --scope operate > ci.token`.
 */
import { type Command, Option } from 'commander';
import { SCOPES } from '../admin/access.ts';
import { MAX_TOKEN_SECONDS, NewToken, Token, TokenList } from '../admin/api-types.ts';
import { printableJson, printableLine } from '../app/printable.ts';
import {
  type AddCommand,
  adminOption,
  clientFor,
  type ClientOptions,
  outputOption,
  lifeUpTo,
  stateOption,
  tokenFileOption,
} from './command.ts';
import { formatTable } from './table.ts';

interface TokenOptions extends ClientOptions {
  readonly scope: (typeof SCOPES)[number];
  readonly expires?: number;
  readonly output?: 'json';
}

const PATH = '/api/v1/tokens';

export const tokenCommand: AddCommand = (program, io): Command => {
  const token = program.command('token').description('make, list and revoke tokens of the admin API').helpCommand(false);
  const add = (name: string, description: string): Command =>
    token
      .command(name)
      .description(description)
      .addOption(outputOption('json'))
      .addOption(stateOption())
      .addOption(adminOption())
      .addOption(tokenFileOption());

  add('create', 'make a token; it is printed once and kept nowhere')
    .argument('<NAME>', 'of the person or program it is for: it stands in every record of what they do')
    .addOption(new Option('--scope <SCOPE>', 'read: look; operate: move traffic; admin: also make tokens').choices(SCOPES).default('read'))
    .addOption(
      new Option('--expires <DURATION>', 'after so long it is taken no more, as 30d or 12h').argParser(lifeUpTo(MAX_TOKEN_SECONDS)),
    )
    .action(async (name: string, options: TokenOptions) => {
      const { scope, expires } = options;
      const body = { name, scope, ...(expires === undefined ? {} : { expiresInSeconds: expires }) };
      const made = await clientFor(options, io).call({ method: 'POST', path: PATH, body }, NewToken);
      if (options.output === 'json') return io.out(`${printableJson(made)}\n`);
      io.err(`token ${printableLine(made.name)}, scope ${made.scope}, expires ${expiryOf(made)}; it is not shown again\n`);
      return io.out(`${printableLine(made.token)}\n`);
    });
  add('list', 'show all tokens that were made, not what they are').action(async (options: TokenOptions) => {
    const { items } = await clientFor(options, io).call({ method: 'GET', path: PATH }, TokenList);
    if (options.output === 'json') return io.out(`${printableJson({ items })}\n`);
    if (items.length === 0) return io.err('no tokens beside the one of the state directory\n');
    const rows = items.map((each) => [each.name, each.scope, each.createdBy, each.createdAt, expiryOf(each), each.lastUsedAt ?? 'never']);
    return io.out(formatTable(['NAME', 'SCOPE', 'CREATED BY', 'CREATED', 'EXPIRES', 'LAST USED'], rows));
  });
  add('revoke', 'take a token no more, from now on')
    .argument('<NAME>')
    .action(async (name: string, options: TokenOptions) => {
      const revoked = await clientFor(options, io).call({ method: 'DELETE', path: `${PATH}/${encodeURIComponent(name)}` }, Token);
      if (options.output === 'json') return io.out(`${printableJson(revoked)}\n`);
      return io.out(`token ${printableLine(revoked.name)} is revoked\n`);
    });
  return token;
};

function expiryOf({ expiresAt, isExpired }: Token): string {
  if (expiresAt === undefined) return 'never';
  return isExpired ? `expired ${expiresAt}` : expiresAt;
}
