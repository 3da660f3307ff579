/** What asking a running Serin takes: where it is, how a request is opened, and what it means when the answer is no success. */
import { type ClientRequest, type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Problem } from '../admin/problem.ts';
import { type Address, formatAddress } from '../app/listen.ts';
import type { ClientToken } from './client-token.ts';
import { CliError, EXIT, type ExitCode, exitOfStatus } from './exit.ts';

export interface Connection {
  readonly address: Address;
  readonly token: ClientToken;
  readonly version: string;
  readonly timeoutMs: number;
  /** PEM, of a daemon that speaks TLS: the one certificate that is taken. */
  readonly certificate: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly daemonVersion: string | undefined;
  readonly text: string;
}

export const placeOf = ({ address, certificate }: Connection): string =>
  `${certificate === undefined ? 'http' : 'https'}://${formatAddress(address)}`;

export function upgradeHint(version: string, daemonVersion: string | undefined): string {
  return `this is serin ${version} and the running one is ${daemonVersion}; upgrade the older one`;
}

/** With the token; `headers` come beside it. */
export function openRequest(
  { address, token, timeoutMs, certificate }: Connection,
  { headers, ...options }: Pick<RequestOptions, 'method' | 'path'> & { readonly headers: Readonly<Record<string, string>> },
  onResponse: (response: IncomingMessage) => void,
): ClientRequest {
  const authorization = token.token === undefined ? {} : { authorization: `Bearer ${token.token}` };
  // A name that every daemon answers for, whichever address it listens on, and however that is spelt.
  const host = `localhost:${address.port}`;
  const all = {
    ...options,
    host: address.host,
    port: address.port,
    headers: { ...headers, ...authorization, host },
    agent: false,
    timeout: timeoutMs,
  };
  if (certificate === undefined) return httpRequest(all, onResponse);
  // Its own certificate, from a directory that only its owner can write: who is meant is known better than by a name.
  return httpsRequest({ ...all, ca: [certificate], allowPartialTrustChain: true, checkServerIdentity: () => undefined }, onResponse);
}

/** What the API answered where it refused; a command that has nothing to add lets it end as any CliError. */
export class ProblemAnswer extends CliError {
  readonly problem: Problem;

  constructor(problem: Problem, exit: ExitCode, hint: string | undefined) {
    super(exit, problem.detail, hint);
    this.name = 'ProblemAnswer';
    this.problem = problem;
  }
}

/** What an answer that is no success means to a command. */
export function failureOf(connection: Connection, answer: Answer): CliError {
  const { token, version } = connection;
  const where = placeOf(connection);
  const json = parseJson(answer.text);
  if (answer.daemonVersion === undefined || json === undefined) {
    return new CliError(
      EXIT.unreachable,
      `what answers at ${where} is not a Serin API`,
      'give the address `serin up` prints with --admin ADDR:PORT',
    );
  }
  if (answer.status === 401) {
    return new CliError(
      EXIT.other,
      `unauthorized: ${token.source} is none of the Serin at ${where}`,
      'name the state directory that Serin runs with (--state DIR), or a token that is not revoked or expired (--token-file PATH, $SERIN_TOKEN)',
    );
  }
  const problem = Problem.safeParse(json.value);
  if (!problem.success) return new CliError(exitOfStatus(answer.status), `HTTP status ${answer.status}`);
  const isMissingPath = problem.data.code === 'E_ADMIN_PATH';
  if (!isMissingPath) return new ProblemAnswer(problem.data, exitOfStatus(answer.status), problem.data.hint);
  const isOtherVersion = answer.daemonVersion !== version;
  return new ProblemAnswer(problem.data, EXIT.other, isOtherVersion ? upgradeHint(version, answer.daemonVersion) : problem.data.hint);
}

export function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** No answer came, or not all of it. */
export function unreachableAt(address: Address, error: NodeJS.ErrnoException): CliError {
  const isForeign = error.code?.startsWith('HPE_') === true;
  const why = isForeign ? 'what answers is not a Serin API' : (error.code ?? error.message);
  return new CliError(
    EXIT.unreachable,
    `cannot reach serin at ${formatAddress(address)}: ${why}; is it running?`,
    'start it with `serin up -f PATH`, or give its address with --admin ADDR:PORT',
    { cause: error },
  );
}
