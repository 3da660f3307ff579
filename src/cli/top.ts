/**
 * `serin top [-n NS]`: what every version serves now, the busiest service first. On a terminal it goes on, drawn over once a second; elsewhere it is
 * one table, or with `-o json` the answer of the API.
 */
import type { Command } from 'commander';
import { LiveUpdate } from '../admin/live-types.ts';
import { printableJson } from '../app/printable.ts';
import { type AddCommand, adminOption, clientFor, type ClientOptions, outputOption, stateOption, tokenFileOption } from './command.ts';
import { follow } from './follow.ts';
import type { Io } from './io.ts';
import { formatServices, formatTotals } from './live-format.ts';

interface Options extends ClientOptions {
  readonly namespace?: string;
  readonly output?: 'json';
}

const POLL_MS = 1000;

export const topCommand: AddCommand = (program, io): Command =>
  program
    .command('top')
    .description('show what every version serves now: requests, errors, latency, endpoints')
    .option('-n, --namespace <NS>', 'only of this namespace')
    .addOption(outputOption('json'))
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(tokenFileOption())
    .action(async ({ namespace, output, ...options }: Options) => {
      const client = clientFor(options, io);
      const fetch = async (): Promise<LiveUpdate> => {
        const update = await client.call({ method: 'GET', path: '/api/v1/live' }, LiveUpdate);
        return namespace === undefined
          ? update
          : { ...update, services: update.services.filter((service) => service.namespace === namespace) };
      };
      if (output === 'json') return io.out(`${printableJson(await fetch())}\n`);
      if (io.isTerminal !== true) return io.out(page(await fetch(), io));
      return follow({ fetch, page: (update) => page(update, io), news: (update) => page(update, io) }, io, POLL_MS);
    });

function page(update: LiveUpdate, io: Io): string {
  const services = update.services.toSorted((a, b) => b.requestsPerSecond - a.requestsPerSecond || (a.host < b.host ? -1 : 1));
  return `${formatTotals(update)}\n\n${formatServices(services, io, true) || 'no services\n'}`;
}
