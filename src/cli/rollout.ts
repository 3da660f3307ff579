/**
 * `serin rollout list|status|watch|history|start|promote|pause|resume|abort|retry|undo|preview|wait [NAME]`: releases of the running Serin. NAME is a
 * Rollout or the host it releases; it may be left out where there is only one.
 *
 * A verb ends when what was asked for is durable and in force: 0. Exit 5: no such rollout, 6: not in its present state, 3: the version cannot be
 * released. `wait` ends with 0 when the release is promoted, with 1 when it was taken back or the time is up.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { printableJson } from '../app/printable.ts';
import { parseDuration } from '../base/duration.ts';
import type { Verb } from '../rollout/verbs.ts';
import type { Client } from './client.ts';
import {
  type AddCommand,
  adminOption,
  clientFor,
  collect,
  type ClientOptions,
  namespaceOption,
  outputOption,
  reasonOption,
  stateOption,
  tokenFileOption,
  watchOption,
} from './command.ts';
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';
import { addPreview } from './rollout-preview.ts';
import { formatHistory, formatList, formatStatus, RolloutList, RolloutObject } from './rollout-format.ts';
import { isUnderWay, watchRollout, watchRollouts } from './rollout-watch.ts';

interface Options extends ClientOptions {
  readonly namespace: string;
  readonly output?: 'json';
  readonly watch?: true;
  readonly allNamespaces?: true;
  readonly full?: true;
  readonly to?: string | string[];
  readonly from?: string;
  readonly reason?: string;
  readonly timeout?: number;
}

const POLL_MS = 300;

export const rolloutCommand: AddCommand = (program, io, done): Command => {
  const rollout = program.command('rollout').description('release versions step by step, by evidence').helpCommand(false);
  const add = (name: string, description: string): Command =>
    rollout
      .command(name)
      .description(description)
      .addOption(namespaceOption())
      .addOption(outputOption('json'))
      .addOption(stateOption())
      .addOption(adminOption())
      .addOption(tokenFileOption());
  const watchIt = watchOption('go on showing it until it has ended');

  add('list', 'show all releases')
    .addOption(new Option('-A, --all-namespaces', 'of every namespace').conflicts('namespace'))
    .action((options: Options) => list(clientFor(options, io), options, io));
  add('status', 'show how far a release is, and why')
    .argument('[NAME]')
    .addOption(watchIt)
    .action(async (name: string | undefined, options: Options) => show(clientFor(options, io), name, options, io));
  add('watch', 'go on showing a release until it has ended; without a NAME where there are several, all of them')
    .argument('[NAME]')
    .action(async (name: string | undefined, options: Options) => watch(clientFor(options, io), name, options, io));
  add('history', 'show what was decided, by whom and why')
    .argument('[NAME]')
    .action(async (name: string | undefined, options: Options) => {
      const found = await fetchRollout(clientFor(options, io), name, options);
      if (options.output === 'json') return io.out(`${printableJson(found.status.decisions)}\n`);
      return io.out(formatHistory(found));
    });
  add('wait', 'wait until a release is promoted or taken back')
    .argument('[NAME]')
    .addOption(new Option('--timeout <DURATION>', 'give up after so long').argParser(parseTimeout))
    .action(async (name: string | undefined, options: Options) => {
      const found = await waitFor(clientFor(options, io), name, options);
      if (options.output === 'json') io.out(`${printableJson(found)}\n`);
      else io.out(formatStatus(found, io));
      if (found.status.phase === 'Degraded') done(EXIT.other);
    });

  addPreview(add('preview', 'print a link that shows the new version to whoever has it, at any weight'), io);

  const verbs: Readonly<Record<Verb, string>> = {
    start: 'start a release',
    promote: 'go on where a release waits for somebody',
    pause: 'hold a release where it is',
    resume: 'let a paused release go on',
    abort: 'take a release back: everybody to stable',
    retry: 'start a release again that was taken back',
    undo: 'take a promotion back: everybody to the version before',
  };
  for (const [verb, description] of Object.entries(verbs)) {
    const command = add(verb, description).argument('[NAME]').addOption(watchIt).addOption(reasonOption());
    if (verb === 'promote') {
      command.option('--full', 'skip what is left: everybody moves now');
      command.option('--to <SUBSET>', 'of several versions, the one that goes on alone');
    }
    if (verb === 'abort' || verb === 'undo') command.option('--full', 'everybody at once, however few endpoints stable has');
    if (verb === 'start') {
      command.addOption(
        new Option('--to <SUBSET>', 'version to release, where it is not the one the Rollout names; may be repeated').argParser(collect),
      );
      command.option('--from <SUBSET>', 'version that serves, where there is no Rollout and several do');
    }
    command.action((name: string | undefined, options: Options) => act(clientFor(options, io), verb, name, options, io));
  }
  return rollout;
};

async function list(client: Client, options: Options, io: Io): Promise<void> {
  const items = await fetchAll(client, options);
  if (options.output === 'json') return io.out(`${printableJson({ apiVersion: 'v1', kind: 'List', items })}\n`);
  if (items.length === 0)
    return io.err(options.allNamespaces === true ? 'no rollouts\n' : `no rollouts in namespace ${options.namespace}\n`);
  return io.out(formatList(items, options.allNamespaces === true));
}

async function fetchAll(client: Client, { namespace, allNamespaces }: Options): Promise<RolloutObject[]> {
  const query = allNamespaces === true ? '' : `?namespace=${encodeURIComponent(namespace)}`;
  return (await client.call({ method: 'GET', path: `/api/v1/rollouts${query}` }, RolloutList)).items;
}

/** @throws CliError 2 when the name is left out and there is not exactly one */
async function nameOf(client: Client, name: string | undefined, options: Options): Promise<string> {
  if (name !== undefined) return name;
  const names = (await fetchAll(client, options)).map(({ metadata }) => metadata.name);
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return only;
  throw new CliError(
    EXIT.usage,
    names.length === 0 ? `there is no rollout in namespace ${options.namespace}` : 'which rollout?',
    names.length === 0 ? undefined : `there are ${names.join(', ')}`,
  );
}

const pathOf = (name: string, { namespace }: Options): string =>
  `/api/v1/rollouts/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;

async function fetchRollout(client: Client, name: string | undefined, options: Options): Promise<RolloutObject> {
  return client.call({ method: 'GET', path: pathOf(await nameOf(client, name, options), options) }, RolloutObject);
}

async function act(client: Client, verb: string, name: string | undefined, options: Options, io: Io): Promise<void> {
  const known = await nameOf(client, name, options);
  const { full, to, from, reason } = options;
  const body = {
    ...(full === undefined ? {} : { full }),
    ...(to === undefined ? {} : { to }),
    ...(from === undefined ? {} : { from }),
    ...(reason === undefined ? {} : { reason }),
  };
  const path = `${pathOf(known, options)}/${verb}`;
  const found = await client.call({ method: 'POST', path, body, headers: { 'idempotency-key': randomUUID() } }, RolloutObject);
  if (options.watch === true) return show(client, found.metadata.name, options, io);
  if (options.output === 'json') return io.out(`${printableJson(found)}\n`);
  return io.out(formatStatus(found, io));
}

async function watch(client: Client, name: string | undefined, options: Options, io: Io): Promise<void> {
  if (name === undefined && (await fetchAll(client, options)).length > 1)
    return watchRollouts(() => fetchAll(client, options), options.output, io, POLL_MS);
  return show(client, name, { ...options, watch: true }, io);
}

async function show(client: Client, name: string | undefined, options: Options, io: Io): Promise<void> {
  const { output, watch } = options;
  if (watch === true) {
    const known = await nameOf(client, name, options);
    return watchRollout(() => fetchRollout(client, known, options), output, io, POLL_MS);
  }
  const found = await fetchRollout(client, name, options);
  return io.out(output === 'json' ? `${printableJson(found)}\n` : formatStatus(found, io));
}

/** @throws CliError 1 when the time is up, with the state it is in */
async function waitFor(client: Client, name: string | undefined, options: Options): Promise<RolloutObject> {
  const known = await nameOf(client, name, options);
  const startedAt = performance.now();
  for (;;) {
    const found = await fetchRollout(client, known, options);
    if (!isUnderWay(found)) return found;
    if (options.timeout !== undefined && performance.now() - startedAt >= options.timeout)
      throw new CliError(EXIT.other, `timed out: ${known} is ${found.status.phase}: ${found.status.message}`);
    await sleep(POLL_MS);
  }
}

function parseTimeout(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError(`expected a duration as 30s, 500ms or 1m30s, found '${text}'`);
  return ms;
}
