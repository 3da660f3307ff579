/**
 * Asking a running Serin: finds its address and token in the state directory and speaks JSON with the admin API.
 *
 * `node:http` and not `fetch`, which refuses some ports (the WHATWG "bad ports") that a user may well have chosen. The token is sent to a
 * loopback address only and never printed.
 */
import { request as httpRequest } from 'node:http';
import type { z } from 'zod';
import { isLoopback } from '../admin/loopback.ts';
import { Problem } from '../admin/problem.ts';
import { type Address, formatAddress } from '../app/listen.ts';
import { readDaemonInfo } from '../app/state-directory.ts';
import { readToken } from '../app/token.ts';
import { CliError, EXIT, exitOfStatus } from './exit.ts';

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
}

/** @param admin Overrides the address in the state directory. @throws CliError 4 when nothing is known about a daemon, 1 without a token */
export function connectClient(directory: string, admin: Address | undefined, version: string): Client {
  const address = admin ?? readDaemonInfo(directory)?.admin;
  if (address === undefined) {
    throw new CliError(
      EXIT.unreachable,
      `no serin is running from state directory ${directory}`,
      'start one with `serin up -f PATH`, or name its directory with --state DIR',
    );
  }
  if (!isLoopback(address.host)) {
    throw new CliError(
      EXIT.usage,
      `the admin API is on loopback only, found ${formatAddress(address)}`,
      'reach another machine through an SSH tunnel',
    );
  }
  const token = tokenOf(directory);
  return { call: (request, answer) => call({ address, token, directory, version }, request, answer) };
}

interface Connection {
  readonly address: Address;
  readonly token: string | undefined;
  readonly directory: string;
  readonly version: string;
}

function tokenOf(directory: string): string | undefined {
  try {
    return readToken(directory);
  } catch (error) {
    throw new CliError(
      EXIT.other,
      `cannot read the token in ${directory}: ${error instanceof Error ? error.message : String(error)}`,
      undefined,
      { cause: error },
    );
  }
}

async function call<Schema extends z.ZodType>(connection: Connection, request: ApiRequest, schema: Schema): Promise<z.infer<Schema>> {
  const answer = await exchange(connection, request);
  const { directory, version } = connection;
  const where = `http://${formatAddress(connection.address)}`;
  const json = parseJson(answer.text);
  if (answer.daemonVersion === undefined || json === undefined) {
    throw new CliError(
      EXIT.unreachable,
      `what answers at ${where} is not a Serin API`,
      'give the address `serin up` prints with --admin ADDR:PORT',
    );
  }
  const isOtherVersion = answer.daemonVersion !== version;
  const upgrade = `this is serin ${version} and the running one is ${answer.daemonVersion}; upgrade the older one`;
  if (answer.status === 401) {
    throw new CliError(
      EXIT.other,
      `unauthorized: the token in ${directory} is not the one of the Serin at ${where}`,
      'name the state directory that Serin runs with: --state DIR',
    );
  }
  if (answer.status >= 400) {
    const problem = Problem.safeParse(json.value);
    const detail = problem.success ? problem.data.detail : `HTTP status ${answer.status}`;
    const hint = problem.success ? problem.data.hint : undefined;
    const isMissingPath = problem.success && problem.data.code === 'E_ADMIN_PATH';
    throw new CliError(isMissingPath ? EXIT.other : exitOfStatus(answer.status), detail, isOtherVersion && isMissingPath ? upgrade : hint);
  }
  const result = schema.safeParse(json.value);
  if (!result.success)
    throw new CliError(EXIT.other, `the Serin at ${where} answered something unexpected`, isOtherVersion ? upgrade : undefined, {
      cause: result.error,
    });
  return result.data;
}

function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

interface Answer {
  readonly status: number;
  readonly daemonVersion: string | undefined;
  readonly text: string;
}

function exchange({ address, token }: Connection, { method, path, body, headers: more }: ApiRequest): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...more,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) }),
  };
  return new Promise((resolve, reject) => {
    const unreachable = (why: string, cause?: unknown): void => {
      reject(
        new CliError(
          EXIT.unreachable,
          `cannot reach serin at ${formatAddress(address)}: ${why}; is it running?`,
          'start it with `serin up -f PATH`, or give its address with --admin ADDR:PORT',
          {
            cause,
          },
        ),
      );
    };
    const request = httpRequest(
      { host: address.host, port: address.port, method, path, headers, agent: false, timeout: TIMEOUT_MS },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_ANSWER_BYTES) request.destroy(new Error(`its answer is larger than ${MAX_ANSWER_BYTES} bytes`));
          chunks.push(chunk);
        });
        response.on('error', (error) => unreachable(error.message, error));
        response.on('end', () => {
          const version = response.headers['serin-version'];
          resolve({
            status: response.statusCode ?? 0,
            daemonVersion: typeof version === 'string' ? version : undefined,
            text: Buffer.concat(chunks).toString('utf8'),
          });
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isForeign = error.code?.startsWith('HPE_') === true;
      unreachable(isForeign ? 'what answers is not a Serin API' : (error.code ?? error.message), error);
    });
    request.end(payload);
  });
}
