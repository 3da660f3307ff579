/**
 * `serin logs VERSION [-f] [--lines N]`: what a version run by Serin has printed, by the version's name (`reviews-v2`) or that of a process. Secrets
 * that can be told are left out by Serin. With `-f` it goes on until Ctrl-C; when Serin ends it ends with 4.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { LogLine, ProcessLog } from '../admin/live-types.ts';
import { printableJson, printableLine } from '../app/printable.ts';
import { type AddCommand, adminOption, clientFor, type ClientOptions, outputOption, stateOption, tokenFileOption } from './command.ts';
import { CliError, EXIT } from './exit.ts';

interface Options extends ClientOptions {
  readonly namespace?: string;
  readonly follow?: true;
  readonly lines: number;
  readonly output?: 'json';
}

const DEFAULT_LINES = 100;
const MAX_LINES = 5000;

export const logsCommand: AddCommand = (program, io): Command =>
  program
    .command('logs')
    .description('show what a version that Serin runs has printed')
    .argument('<VERSION>', 'as serin get processes names them: reviews-v2')
    .option('-f, --follow', 'go on with what it prints')
    .addOption(new Option('--lines <N>', 'how many of the last lines').argParser(parseLines).default(DEFAULT_LINES))
    .option('-n, --namespace <NS>', 'where there is one of this name in several')
    .addOption(outputOption('json'))
    .addOption(stateOption())
    .addOption(adminOption())
    .addOption(tokenFileOption())
    .action(async (version: string, { namespace, follow, lines, output, ...options }: Options) => {
      const client = clientFor(options, io);
      const query = `lines=${lines}${namespace === undefined ? '' : `&namespace=${encodeURIComponent(namespace)}`}`;
      const path = `/api/v1/processes/${encodeURIComponent(version)}/log?${query}`;
      const shown = (line: LogLine): string => (output === 'json' ? `${printableJson(line, 0)}\n` : `${printableLine(line.text)}\n`);
      if (follow !== true) {
        const log = await client.call({ method: 'GET', path }, ProcessLog);
        return io.out(log.lines.map(shown).join(''));
      }
      for await (const { event, data } of client.events(`${path}&follow=true`)) {
        if (event === 'line') io.out(shown(LogLine.parse(JSON.parse(data))));
        else if (event === 'resync') io.err('serin: lines are left out: they came faster than they could be shown\n');
      }
      throw new CliError(EXIT.unreachable, 'Serin has ended the log: it shuts down', 'start it with `serin up -f PATH`');
    });

function parseLines(text: string): number {
  const lines = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (lines < 1 || lines > MAX_LINES) throw new InvalidArgumentError(`expected a whole number from 1 to ${MAX_LINES}, found '${text}'`);
  return lines;
}
