/**
 * Asking a running Serin: finds its address in the state directory and speaks JSON with the admin API.
 *
 * `node:http` and not `fetch`, which refuses some ports (the WHATWG "bad ports") that a user may well have chosen. The token is sent to a
 * loopback address, or over TLS to the daemon of the state directory, and never printed.
 */
import type { z } from 'zod';
import { isLoopback } from '../admin/loopback.ts';
import { type Address, formatAddress } from '../app/listen.ts';
import { readDaemonInfo } from '../app/state-directory.ts';
import type { ClientToken } from './client-token.ts';
import { serverEvents, type ServerEvent } from './client-events.ts';
import {
  type Answer,
  type Connection,
  failureOf,
  openRequest,
  parseJson,
  placeOf,
  unreachableAt,
  upgradeHint,
} from './client-connection.ts';
import { CliError, EXIT } from './exit.ts';

/** A daemon that does not answer within this time is as good as gone; a shift waits for fsync and the data plane. */
const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  /** Beside those every request has. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Client {
  /** @throws CliError with the exit code the failure asks for */
  call<Schema extends z.ZodType>(request: ApiRequest, answer: Schema): Promise<z.infer<Schema>>;
  /** Events of a path, until Serin ends them. Leaving the loop ends them, too. @throws CliError as `call` */
  events(path: string): AsyncIterable<ServerEvent>;
  /** Of the admin API: `http://127.0.0.1:15000`. */
  readonly url: string;
}

/**
 * @param admin     Overrides the address in the state directory.
 * @param timeoutMs For an answer, also before its first byte.
 * @throws CliError 4 when nothing is known about a daemon
 */
export function connectClient(
  directory: string,
  admin: Address | undefined,
  token: ClientToken,
  version: string,
  timeoutMs = TIMEOUT_MS,
): Client {
  const known = readDaemonInfo(directory)?.admin;
  const address = reachable(admin ?? known);
  if (address === undefined) {
    throw new CliError(
      EXIT.unreachable,
      `no serin is running from state directory ${directory}`,
      'start one with `serin up -f PATH`, or name its directory with --state DIR',
    );
  }
  if (!isLoopback(address.host) && (admin !== undefined || known?.certificate === undefined)) {
    throw new CliError(
      EXIT.usage,
      `a token is sent to loopback addresses only, found ${formatAddress(address)}`,
      'reach another machine through an SSH tunnel',
    );
  }
  // Also with --admin, which may name the end of a tunnel: it is the daemon of this directory whose token is shown.
  const connection: Connection = { address, token, version, timeoutMs, certificate: known?.certificate };
  return {
    url: placeOf(connection),
    call: (request, answer) => call(connection, request, answer),
    events: (path) => serverEvents(connection, path),
  };
}

/** What listens everywhere is asked through loopback. */
function reachable(address: Address | undefined): Address | undefined {
  if (address?.host === '0.0.0.0') return { ...address, host: '127.0.0.1' };
  return address?.host === '::' ? { ...address, host: '::1' } : address;
}

async function call<Schema extends z.ZodType>(connection: Connection, request: ApiRequest, schema: Schema): Promise<z.infer<Schema>> {
  const answer = await exchange(connection, request);
  if (!isGood(answer)) throw failureOf(connection, answer);
  const result = schema.safeParse(parseJson(answer.text)?.value);
  if (result.success) return result.data;
  const { version } = connection;
  throw new CliError(
    EXIT.other,
    `the Serin at ${placeOf(connection)} answered something unexpected`,
    answer.daemonVersion === version ? undefined : upgradeHint(version, answer.daemonVersion),
    { cause: result.error },
  );
}

const isGood = ({ status, daemonVersion, text }: Answer): boolean =>
  status < 400 && daemonVersion !== undefined && parseJson(text) !== undefined;

function exchange(connection: Connection, { method, path, body, headers: more }: ApiRequest): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...more,
    ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) }),
  };
  return new Promise((resolve, reject) => {
    const unreachable = (error: NodeJS.ErrnoException): void => reject(unreachableAt(connection.address, error));
    const request = openRequest(connection, { method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_ANSWER_BYTES) request.destroy(new Error(`its answer is larger than ${MAX_ANSWER_BYTES} bytes`));
        chunks.push(chunk);
      });
      response.on('error', unreachable);
      response.on('end', () => {
        const version = response.headers['serin-version'];
        resolve({
          status: response.statusCode ?? 0,
          daemonVersion: typeof version === 'string' ? version : undefined,
          text: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${connection.timeoutMs / 1000} s`)));
    request.on('error', unreachable);
    request.end(payload);
  });
}
