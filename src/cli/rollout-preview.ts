/** `serin rollout preview NAME [--to SUBSET] [--expires 8h] [--url URL]`: a link to the new version; the link alone goes to stdout. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { MAX_PREVIEW_SECONDS, Preview } from '../admin/api-types.ts';
import { printableJson, printableLine } from '../app/printable.ts';
import { clientFor, type ClientOptions, lifeUpTo } from './command.ts';
import type { Io } from './io.ts';

interface PreviewOptions extends ClientOptions {
  readonly namespace: string;
  readonly output?: 'json';
  readonly to?: string;
  readonly expires?: number;
  readonly url?: string;
}

export function addPreview(command: Command, io: Io): void {
  command
    .argument('<NAME>')
    .option('--to <SUBSET>', 'version to show, where several are released')
    .addOption(new Option('--expires <DURATION>', 'how long it holds, as 8h or 3d (default: 8h)').argParser(lifeUpTo(MAX_PREVIEW_SECONDS)))
    .addOption(new Option('--url <URL>', 'address of the service, for a complete link').argParser(parseUrl))
    .action(async (name: string, options: PreviewOptions) => {
      const { to, expires, namespace, url } = options;
      const body = { ...(to === undefined ? {} : { to }), ...(expires === undefined ? {} : { expiresInSeconds: expires }) };
      const path = `/api/v1/rollouts/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/preview`;
      const made = await clientFor(options, io).call({ method: 'POST', path, body }, Preview);
      const link = linkTo(url ?? '', made.query);
      if (options.output === 'json') return io.out(`${printableJson({ ...made, link })}\n`);
      io.err(
        `shows ${printableLine(made.to)} of ${printableLine(made.rollout)} until ${made.expiresAt}, or until the run ends${url === undefined ? '; add it to any address of the service' : ''}\n`,
      );
      return io.out(`${printableLine(link)}\n`);
    });
}

function linkTo(url: string, query: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

function parseUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError(`expected a URL as http://shop.example/, found '${text}'`);
  url.hash = '';
  return url.href;
}
