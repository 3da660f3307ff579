/**
 * `serin __names WHAT WORD...`: the names a shell offers while somebody types, a line each. WORDs are the command line so far, whose options say
 * which Serin is asked and in which namespace. Never a message, never a failure: where there is no answer within a second there are no names.
 */
import { homedir } from 'node:os';
import { z } from 'zod';
import { ApiList } from '../admin/api-types.ts';
import { parseAddress } from '../app/listen.ts';
import { findKind, kindsAt, RESOURCE_PLURALS } from '../app/resource-kinds.ts';
import { stateDirectory } from '../app/state-directory.ts';
import { VERSION } from '../app/version.ts';
import { type Client, connectClient } from './client.ts';
import { clientToken } from './client-token.ts';
import type { Io } from './io.ts';

/** First word of the command line that asks for names. */
export const NAMES_COMMAND = '__names';

export type NameSource = 'resources' | 'rollouts' | 'namespaces' | 'shifted' | 'tokens' | 'versions';

const PATIENCE_MS = 1000;
/** What no shell takes apart or expands; other names are not offered. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9._/-]*$/;

const Clusters = z.object({ items: z.array(z.object({ spec: z.object({ host: z.string() }) })) });
const Processes = z.object({ items: z.array(z.object({ spec: z.object({ service: z.string(), version: z.string() }) })) });
const Tokens = z.object({ items: z.array(z.object({ name: z.string() })) });

/** @param args What comes after `__names`. */
export async function printNames([what = '', ...words]: readonly string[], io: Pick<Io, 'out' | 'env'>): Promise<void> {
  try {
    const asked = readWords(words, io.env);
    const directory = stateDirectory(asked.state, io.env);
    const silent: Io = { ...SILENT, env: io.env };
    const address = asked.admin === undefined ? undefined : parseAddress(asked.admin);
    const client = connectClient(directory, address, clientToken(asked.tokenFile, directory, silent), VERSION, PATIENCE_MS);
    const names = new Set((await namesOf(what, asked, client)).filter((name) => PLAIN.test(name)));
    io.out([...names].map((name) => `${name}\n`).join(''));
  } catch {
    // Somebody is typing: a message would be in the middle of their line.
  }
}

const SILENT: Omit<Io, 'env'> = {
  out: () => undefined,
  err: () => undefined,
  paint: (_style, text) => text,
  outliveOutput: () => undefined,
  readInput: () => Promise.resolve(new Uint8Array()),
};

interface Asked {
  state?: string;
  admin?: string;
  tokenFile?: string;
  namespace?: string;
  /** Words that are no options or values of the ones above. */
  readonly others: string[];
}

const OPTIONS: Readonly<Record<string, Exclude<keyof Asked, 'others'>>> = {
  '--state': 'state',
  '--admin': 'admin',
  '--token-file': 'tokenFile',
  '--namespace': 'namespace',
  '-n': 'namespace',
};

/** The line as a shell has it before it expands anything: quotes around a word are taken off, `~/` is the home directory. */
function readWords(words: readonly string[], env: Io['env']): Asked {
  const asked: Asked = { others: [] };
  let option: Exclude<keyof Asked, 'others'> | undefined;
  // bash hands `--state=DIR` over in three words.
  for (const word of words.filter((written) => written !== '=')) {
    const text = word.replace(/^(['"])(.*)\1$/, '$2').replace(/^~(?=\/)/, env['HOME'] ?? homedir());
    const [name = '', ...value] = text.split('=');
    const known = OPTIONS[name];
    if (option !== undefined) {
      asked[option] = text;
      option = undefined;
    } else if (known === undefined) asked.others.push(text);
    else if (value.length > 0) asked[known] = value.join('=');
    else option = known;
  }
  return asked;
}

async function namesOf(what: string, { namespace = 'default', others }: Asked, client: Client): Promise<readonly string[]> {
  const query = `?namespace=${encodeURIComponent(namespace)}`;
  const listed = async (path: string): Promise<ApiList['items']> => (await client.call({ method: 'GET', path }, ApiList)).items;
  const named = async (path: string): Promise<readonly string[]> => (await listed(path)).map(({ metadata }) => metadata.name);
  if (what === 'rollouts') return named(`/api/v1/rollouts${query}`);
  if (what === 'tokens') return (await client.call({ method: 'GET', path: '/api/v1/tokens' }, Tokens)).items.map(({ name }) => name);
  if (what === 'versions') {
    const { items } = await client.call({ method: 'GET', path: '/api/v1/processes' }, Processes);
    return items.map(({ spec: { service, version } }) => `${service}-${version}`);
  }
  if (what === 'shifted') {
    const { items } = await client.call({ method: 'GET', path: '/api/v1/clusters' }, Clusters);
    const routes = await Promise.all(
      ['httproute', 'grpcroute'].map(async (kind) => (await named(`/api/v1/resources/${kind}s${query}`)).map((name) => `${kind}/${name}`)),
    );
    return [...items.map(({ spec: { host } }) => shortName(host, namespace)), ...routes.flat()];
  }
  if (what === 'namespaces') {
    const lists = await Promise.all(RESOURCE_PLURALS.map((plural) => listed(`/api/v1/resources/${plural}`)));
    return lists.flat().flatMap(({ kind, metadata }) => metadata.namespace ?? (kind === 'Namespace' ? metadata.name : []));
  }
  const kinds = others.map(findKind).flatMap((found) => ('path' in found ? [found.path] : []));
  const kind = kinds[0] ?? '';
  return named(kindsAt(kind).length > 0 ? `/api/v1/resources/${kind}${query}` : `/api/v1/${kind}`);
}

/** As it is written from inside the namespace. */
function shortName(host: string, namespace: string): string {
  const suffix = `.${namespace}.svc.cluster.local`;
  return host.endsWith(suffix) ? host.slice(0, -suffix.length) : host;
}
