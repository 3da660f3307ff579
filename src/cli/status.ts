/**
 * `serin status [-w]`: everything on one page: whether the configuration is in force, listeners, services with their split, releases under way, and
 * what is wrong. Exit 1 when something is, so that a script can ask; with `-w` it goes on until Ctrl-C.
 */
import type { Command } from 'commander';
import { ApiList } from '../admin/api-types.ts';
import { ConfigurationSummary, type LiveListener, LiveUpdate } from '../admin/live-types.ts';
import { printableJson, printableLine } from '../app/printable.ts';
import type { Client } from './client.ts';
import {
  type AddCommand,
  adminOption,
  clientFor,
  type ClientOptions,
  outputOption,
  stateOption,
  tokenFileOption,
  watchOption,
} from './command.ts';
import { CliError, EXIT } from './exit.ts';
import { follow } from './follow.ts';
import type { Io } from './io.ts';
import { formatServices, formatTotals, serviceName } from './live-format.ts';
import { formatList, RolloutList, type RolloutObject } from './rollout-format.ts';
import { isUnderWay } from './rollout-watch.ts';
import { formatColumns } from './table.ts';

interface Options extends ClientOptions {
  readonly output?: 'json';
  readonly watch?: true;
}

const POLL_MS = 1000;

interface Status {
  readonly configuration: ConfigurationSummary;
  readonly live: LiveUpdate;
  readonly rollouts: readonly RolloutObject[];
  /** A sentence each. */
  readonly problems: readonly string[];
}

export const statusCommand: AddCommand = (program, io, done): Command =>
  program
    .command('status')
    .description('show everything on one page: listeners, services, releases under way, what is wrong')
    .addOption(watchOption('go on showing it'))
    .addOption(outputOption('json'))
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(tokenFileOption())
    .action(async ({ output, watch, ...options }: Options) => {
      const client = clientFor(options, io);
      const fetch = (): Promise<Status> => fetchStatus(client);
      const page = (status: Status): string => (output === 'json' ? `${printableJson(status)}\n` : formatPage(status, client, io));
      if (watch === true) {
        const news = (status: Status, before: Status | undefined): string =>
          before !== undefined && page(before) === page(status) ? '' : page(status);
        return follow({ fetch, page, news }, io, POLL_MS);
      }
      const status = await fetch();
      io.out(page(status));
      return status.problems.length > 0 ? done(EXIT.other) : undefined;
    });

async function fetchStatus(client: Client): Promise<Status> {
  const [configuration, live, { items: rollouts }, { items: processes }, { items: clusters }] = await Promise.all([
    currentConfiguration(client),
    client.call({ method: 'GET', path: '/api/v1/live' }, LiveUpdate),
    client.call({ method: 'GET', path: '/api/v1/rollouts' }, RolloutList),
    client.call({ method: 'GET', path: '/api/v1/processes' }, ApiList),
    client.call({ method: 'GET', path: '/api/v1/clusters' }, ApiList),
  ]);
  const problems = [
    ...configurationProblems(configuration),
    ...clusters.flatMap(({ metadata, status }) => {
      const missing = status?.['missing'];
      return typeof missing === 'string' ? [`requests to ${metadata.name} have nowhere to go: ${missing}`] : [];
    }),
    ...live.services.flatMap(serviceProblems),
    ...processes.flatMap(({ metadata, status }) => {
      const [phase, detail] = [status?.['phase'], status?.['detail']];
      return phase === 'waiting'
        ? [`process ${metadata.name} does not run: ${typeof detail === 'string' ? detail : 'it is started again'}`]
        : [];
    }),
    ...rollouts.flatMap(({ metadata, status }) =>
      status.phase === 'Degraded' ? [`release ${metadata.namespace ?? ''}/${metadata.name} was taken back: ${status.message}`] : [],
    ),
  ];
  return { configuration, live, rollouts, problems };
}

/** It is told first to whoever watches. */
async function currentConfiguration(client: Client): Promise<ConfigurationSummary> {
  for await (const { event, data } of client.events('/api/v1/events?topics=configuration')) {
    if (event === 'configuration') return ConfigurationSummary.parse(JSON.parse(data));
  }
  throw new CliError(EXIT.unreachable, 'Serin says nothing about its configuration: it shuts down');
}

function configurationProblems({ reload, errors }: ConfigurationSummary): readonly string[] {
  if (reload.successful) return [];
  return [
    `the files read at ${reload.at} are not in force: ${errors} ${errors === 1 ? 'error' : 'errors'}; see serin validate, and the log of serin up`,
  ];
}

function serviceProblems(service: LiveUpdate['services'][number]): readonly string[] {
  return service.versions.flatMap(({ subset, endpoints }) => {
    const out = endpoints.total - endpoints.healthy;
    if (out === 0) return [];
    const what = `${serviceName(service)}${subset === '' ? '' : ` ${subset}`}`;
    const how = endpoints.ejected === 0 ? 'unhealthy' : `unhealthy or ejected (${endpoints.ejected})`;
    return [`${out} of ${endpoints.total} endpoints of ${what} ${out === 1 ? 'is' : 'are'} ${how}`];
  });
}

function formatPage({ configuration, live, rollouts, problems }: Status, client: Client, io: Io): string {
  const underWay = rollouts.filter(isUnderWay);
  const state = problems.length === 0 ? io.paint('green', 'all is well') : io.paint('red', `${problems.length} wrong`);
  const sections = [
    `serin at ${client.url}  ${state}  configuration ${configuration.version} since ${configuration.at}${warningsOf(configuration)}\n${formatTotals(live)}\n`,
    formatListeners(live.listeners ?? []),
    formatServices(live.services, io, false),
    underWay.length === 0 ? '' : `${io.paint('bold', 'releases under way')}\n${formatList(underWay, true)}`,
    problems.length === 0
      ? ''
      : `${io.paint('bold', 'wrong')}\n${problems.map((problem) => io.paint('red', printableLine(problem)) + '\n').join('')}`,
  ];
  return sections.filter((section) => section !== '').join('\n');
}

function warningsOf({ warnings }: ConfigurationSummary): string {
  return warnings === 0 ? '' : `, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`;
}

function formatListeners(listeners: readonly LiveListener[]): string {
  return formatColumns(
    listeners.map(({ name, address, scheme, gateways }) => [
      name,
      `${scheme}://${address}`,
      gateways.length === 0 ? 'services by name' : `Gateway ${gateways.join(', ')}`,
    ]),
  );
}
