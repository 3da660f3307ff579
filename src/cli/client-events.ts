/** Server-sent events of a running Serin (WHATWG HTML §9.2, as far as Serin writes them). */
import type { IncomingMessage } from 'node:http';
import { type Answer, type Connection, failureOf, openRequest, unreachableAt } from './client-connection.ts';
import { CliError } from './exit.ts';

export interface ServerEvent {
  readonly event: string;
  /** JSON. */
  readonly data: string;
}

/** Serin says something every ten seconds, if only that it is there. */
const SILENCE_MS = 30_000;

export async function* serverEvents(connection: Connection, path: string): AsyncIterable<ServerEvent> {
  const response = await opened(connection, path);
  try {
    if (response.statusCode !== 200 || response.headers['content-type']?.startsWith('text/event-stream') !== true)
      throw failureOf(connection, await wholeAnswer(response));
    let text = '';
    response.setEncoding('utf8');
    for await (const piece of response) {
      text += String(piece);
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const found = eventOf(block);
        if (found !== undefined) yield found;
      }
    }
  } catch (error) {
    if (error instanceof Error && !(error instanceof CliError)) throw unreachableAt(connection.address, error);
    throw error;
  } finally {
    response.destroy();
  }
}

function opened(connection: Connection, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = openRequest(connection, { path, headers: { accept: 'text/event-stream' } }, (response) => {
      request.setTimeout(SILENCE_MS);
      resolve(response);
    });
    request.on('timeout', () => request.destroy(Object.assign(new Error('it says nothing'), { code: 'ETIMEDOUT' })));
    request.on('error', (error) => reject(unreachableAt(connection.address, error)));
    request.end();
  });
}

async function wholeAnswer(response: IncomingMessage): Promise<Answer> {
  let text = '';
  response.setEncoding('utf8');
  for await (const piece of response) text += String(piece);
  const version = response.headers['serin-version'];
  return { status: response.statusCode ?? 0, daemonVersion: typeof version === 'string' ? version : undefined, text };
}

/** Undefined for a comment. */
function eventOf(block: string): ServerEvent | undefined {
  const fields = block.split('\n').map((line) => /^(event|data): ?(.*)$/.exec(line));
  const data = fields.flatMap((field) => (field?.[1] === 'data' ? [field[2] ?? ''] : []));
  if (data.length === 0) return undefined;
  return { event: fields.find((field) => field?.[1] === 'event')?.[2] ?? 'message', data: data.join('\n') };
}
