/**
 * `serin get KIND [NAME] [-n NS | -A] [-o json|yaml|wide] [-w]`: what is in force in the running Serin, overlay applied. JSON and YAML are a
 * Kubernetes List (of one, where a NAME is given, the object itself). With `-w` it goes on: on a terminal the table is drawn over, elsewhere the
 * rows that have changed are added; JSON and YAML come whole again.
 */
import { type Command, Option } from 'commander';
import { stringify } from 'yaml';
import { ApiList, ApiObject } from '../admin/api-types.ts';
import { printableJson, printableText } from '../app/printable.ts';
import { COMPILED_KINDS, findKind, kindsAt, RESOURCE_PLURALS, RESOURCE_USAGE } from '../app/resource-kinds.ts';
import { nearest } from '../base/nearest.ts';
import { isClusterScoped } from '../config/resources.ts';
import type { Client } from './client.ts';
import {
  type AddCommand,
  adminOption,
  clientFor,
  type ClientOptions,
  namespaceOption,
  outputOption,
  stateOption,
  tokenFileOption,
  watchOption,
} from './command.ts';
import { CliError, EXIT } from './exit.ts';
import { type Followed, follow } from './follow.ts';
import { columnsOf } from './get-columns.ts';
import { formatTable } from './table.ts';

interface GetOptions extends ClientOptions {
  readonly namespace: string;
  readonly allNamespaces?: true;
  readonly output?: 'json' | 'yaml' | 'wide';
  readonly watch?: true;
}

const POLL_MS = 1000;

export const getCommand: AddCommand = (program, io): Command =>
  program
    .command('get')
    .description('show what is in force in the running Serin')
    .argument('<KIND>', `${RESOURCE_USAGE}, ${COMPILED_KINDS.map((kind) => kind.plural).join(', ')}`)
    .argument('[NAME]', 'one of them')
    .addOption(namespaceOption())
    .addOption(new Option('-A, --all-namespaces', 'of every namespace').conflicts('namespace'))
    .addOption(outputOption('json', 'yaml', 'wide'))
    .addOption(watchOption('go on showing what changes'))
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(tokenFileOption())
    .action(async (kindText: string, name: string | undefined, options: GetOptions) => {
      const kind = kindNamed(kindText, ALL_KINDS);
      if (name !== undefined && options.allNamespaces === true)
        throw new CliError(EXIT.usage, 'a NAME and --all-namespaces exclude each other');
      const client = clientFor(options, io);
      const fetch = (): Promise<Found> => fetchObjects(client, kind, name, options);
      const shown = showing(kind.plural, options);
      if (options.watch === true) return follow({ fetch, ...shown }, io, POLL_MS);
      const found = await fetch();
      if (Array.isArray(found) && found.length === 0 && (options.output === undefined || options.output === 'wide'))
        return io.err(shown.page(found));
      return io.out(shown.page(found));
    });

/** An object where a NAME is given, else a list. */
type Found = ApiObject | ApiObject[];

function showing(kind: string, options: GetOptions): Pick<Followed<Found>, 'page' | 'news'> {
  const { output, allNamespaces = false, namespace } = options;
  if (output === 'json' || output === 'yaml') {
    const page = (found: Found): string => {
      const answer = Array.isArray(found) ? { apiVersion: 'v1', kind: 'List', items: found } : found;
      return output === 'json' ? `${printableJson(answer)}\n` : printableText(stringify(answer));
    };
    // Documents of YAML are kept apart.
    const again = (text: string): string => (output === 'yaml' ? `---\n${text}` : text);
    return {
      page,
      news: (found, before) => {
        if (before === undefined) return page(found);
        return page(before) === page(found) ? '' : again(page(found));
      },
    };
  }
  const hasNamespaces = !isCompiled(kind) && kindsAt(kind).some((one) => !isClusterScoped(one.kind));
  const { headings, row } = columnsOf(kind, { wide: output === 'wide', namespaces: allNamespaces && (hasNamespaces || isCompiled(kind)) });
  const rowsOf = (found: Found): string[][] => (Array.isArray(found) ? found : [found]).map(row);
  const none = allNamespaces || !hasNamespaces ? `no ${kind} found\n` : `no ${kind} found in namespace ${namespace}\n`;
  return {
    page: (found) => formatTable(headings, rowsOf(found)) || none,
    news: (found, before) => {
      if (before === undefined) return formatTable(headings, rowsOf(found));
      const known = new Set(rowsOf(before).map((cells) => cells.join('\0')));
      const changed = rowsOf(found).filter((cells) => !known.has(cells.join('\0')));
      // With the headings, so that columns are as wide; they are not said again.
      return formatTable(headings, changed).replace(/^.*\n/, '');
    },
  };
}

const isCompiled = (kind: string): boolean => COMPILED_KINDS.some((compiled) => compiled.plural === kind);

const ALL_KINDS = [...RESOURCE_PLURALS, ...COMPILED_KINDS.map((kind) => kind.plural)];

interface NamedKind {
  /** As in paths: with the group where a user gave it and it tells two kinds apart. */
  readonly path: string;
  readonly plural: string;
}

/** What a user wrote. @param kinds Plurals of those it can be. @throws CliError 2 with the nearest kind */
export function kindNamed(text: string, kinds: readonly string[]): NamedKind {
  const found = findKind(text);
  if ('plural' in found && kinds.includes(found.plural)) return found;
  const suggestion = 'nearest' in found ? found.nearest : undefined;
  throw new CliError(
    EXIT.usage,
    `unknown kind '${text}', there are ${kinds.join(', ')}`,
    suggestion === undefined ? undefined : `did you mean ${suggestion}?`,
  );
}

async function fetchObjects(
  client: Client,
  { path: kind, plural }: NamedKind,
  name: string | undefined,
  options: GetOptions,
): Promise<ApiObject | ApiObject[]> {
  if (isCompiled(plural)) {
    const { items } = await client.call({ method: 'GET', path: `/api/v1/${plural}` }, ApiList);
    return name === undefined ? items : pickByName(items, plural, name);
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
