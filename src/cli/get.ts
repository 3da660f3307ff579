/**
 * `serin get KIND [NAME] [-n NS | -A] [-o json|yaml|wide]`: what is in force in the running Serin, overlay applied. JSON and YAML are a
 * Kubernetes List (of one, where a NAME is given, the object itself).
 */
import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import { ApiList, ApiObject } from '../admin/api-types.ts';
import { printableJson, printableText } from '../app/printable.ts';
import { COMPILED_KINDS, findKind, RESOURCE_KINDS } from '../app/resource-kinds.ts';
import { nearest } from '../base/nearest.ts';
import type { Client } from './client.ts';
import { type AddCommand, adminOption, clientFor, type ClientOptions, namespaceOption, outputOption, stateOption } from './command.ts';
import { CliError, EXIT } from './exit.ts';
import { columnsOf } from './get-columns.ts';
import { formatTable } from './table.ts';

interface GetOptions extends ClientOptions {
  readonly namespace: string;
  readonly allNamespaces?: true;
  readonly output?: 'json' | 'yaml' | 'wide';
}

export const getCommand: AddCommand = (program, io): Command =>
  program
    .command('get')
    .description('show what is in force in the running Serin')
    .argument(
      '<KIND>',
      `${RESOURCE_KINDS.map((kind) => `${kind.plural} (${kind.aliases.at(-1)})`).join(', ')}, ${COMPILED_KINDS.map((kind) => kind.plural).join(', ')}`,
    )
    .argument('[NAME]', 'one of them')
    .addOption(namespaceOption())
    .addOption(new Option('-A, --all-namespaces', 'of every namespace').conflicts('namespace'))
    .addOption(outputOption('json', 'yaml', 'wide'))
    .addOption(stateOption())
    .addOption(adminOption())
    .action(async (kindText: string, name: string | undefined, options: GetOptions) => {
      const kind = pluralOf(kindText);
      if (name !== undefined && options.allNamespaces === true)
        throw new CliError(EXIT.usage, 'a NAME and --all-namespaces exclude each other');
      const found = await fetchObjects(clientFor(options, io), kind, name, options);
      const answer = Array.isArray(found) ? { apiVersion: 'v1', kind: 'List', items: found } : found;
      if (options.output === 'json') return io.out(`${printableJson(answer)}\n`);
      if (options.output === 'yaml') return io.out(printableText(stringify(answer)));
      const objects = Array.isArray(found) ? found : [found];
      const { headings, row } = columnsOf(kind, { wide: options.output === 'wide', namespaces: options.allNamespaces === true });
      if (objects.length === 0)
        return io.err(
          options.allNamespaces === true || isCompiled(kind)
            ? `no ${kind} found\n`
            : `no ${kind} found in namespace ${options.namespace}\n`,
        );
      return io.out(formatTable(headings, objects.map(row)));
    });

const isCompiled = (kind: string): boolean => COMPILED_KINDS.some((compiled) => compiled.plural === kind);

/** @throws CliError 2 with the nearest kind */
function pluralOf(text: string): string {
  const found = findKind(text);
  if ('plural' in found) return found.plural;
  const kinds = [...RESOURCE_KINDS, ...COMPILED_KINDS].map((kind) => kind.plural).join(', ');
  throw new CliError(
    EXIT.usage,
    `unknown kind '${text}', there are ${kinds}`,
    found.nearest === undefined ? undefined : `did you mean ${found.nearest}?`,
  );
}

async function fetchObjects(client: Client, kind: string, name: string | undefined, options: GetOptions): Promise<ApiObject | ApiObject[]> {
  if (isCompiled(kind)) {
    const { items } = await client.call({ method: 'GET', path: `/api/v1/${kind}` }, ApiList);
    return name === undefined ? items : pickByName(items, kind, name);
  }
  const namespace = encodeURIComponent(options.namespace);
  if (name !== undefined)
    return client.call({ method: 'GET', path: `/api/v1/resources/${kind}/${namespace}/${encodeURIComponent(name)}` }, ApiObject);
  const query = options.allNamespaces === true ? '' : `?namespace=${namespace}`;
  return (await client.call({ method: 'GET', path: `/api/v1/resources/${kind}${query}` }, ApiList)).items;
}

/** Compiled objects are few and have no path of their own. An endpoint stands there once a cluster, so it may be several. */
function pickByName(items: readonly ApiObject[], kind: string, name: string): ApiObject[] {
  const found = items.filter((item) => item.metadata.name === name);
  if (found.length > 0) return found;
  const suggestion = nearest(
    name,
    items.map((item) => item.metadata.name),
  );
  throw new CliError(EXIT.notFound, `no '${name}' in ${kind}`, suggestion === undefined ? undefined : `did you mean ${suggestion}?`);
}
