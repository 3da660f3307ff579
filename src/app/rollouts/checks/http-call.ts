/**
 * One HTTP request to another system, bounded in everything (reliability S-16): the time as a whole, the answer's size, no redirect is followed, no proxy of
 * the environment is used, certificates are verified, and no forbidden address is connected to: a name is held against the list when it is resolved
 * for this very connection, so that an answer of DNS cannot change in between.
 */
import { lookup as systemLookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LookupFunction, Socket } from 'node:net';
import { forbiddenAddress, outboundUrlProblem } from '../../../config/serin/outbound-url.ts';

const MAX_BODY_BYTES = 1024 * 1024;

export interface HttpCall {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** There is no answer. */
export class CallError extends Error {
  /** The request may have reached the other side. */
  readonly mayHaveArrived: boolean;

  constructor(message: string, mayHaveArrived: boolean, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CallError';
    this.mayHaveArrived = mayHaveArrived;
  }
}

type Resolve = (
  name: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** A lookup without what may not be connected to. One bad address spoils the name. */
export function guarded(resolve: Resolve): LookupFunction {
  return (name, options, done) => {
    resolve(name, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return done(error, [], 0);
      for (const { address } of addresses) {
        const why = forbiddenAddress(address);
        if (why !== undefined) return done(new Error(`${name} is ${address}, ${why}`), [], 0);
      }
      const [first] = addresses;
      if (options.all === true) return done(null, addresses);
      if (first === undefined) return done(new Error(`no address for ${name}`), [], 0);
      return done(null, first.address, first.family);
    });
  };
}

const lookup = guarded(systemLookup);

/** @throws CallError; its message names neither headers nor the query of the URL, which may hold secrets. */
export function call({ url, method, headers, body, timeoutMs, signal }: HttpCall): Promise<HttpAnswer> {
  const problem = outboundUrlProblem(url);
  if (problem !== undefined) return Promise.reject(new CallError(problem.message, false));
  const target = new URL(url);
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    let hasArrived = false;
    const request = send(target, {
      method,
      agent: false,
      lookup,
      signal,
      headers: {
        'user-agent': 'serin',
        accept: '*/*',
        'accept-encoding': 'identity',
        connection: 'close',
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
        ...headers,
      },
    });
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(new CallError(describe(error, target), hasArrived, { cause: error }));
    };
    request.on('socket', (socket: Socket) => {
      socket.once(target.protocol === 'https:' ? 'secureConnect' : 'connect', () => (hasArrived = true));
    });
    request.on('error', fail);
    // Node drops a connection that changes its protocol, and says no more of it.
    request.on('upgrade', ({ statusCode }, socket) => {
      socket.destroy();
      fail(new Error(`it answered ${statusCode} and would speak another protocol`));
    });
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BODY_BYTES) request.destroy(new Error(`the answer is larger than ${MAX_BODY_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
      });
    });
    request.end(body);
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens at',
  ENOTFOUND: 'no such name:',
  EAI_AGAIN: 'the name cannot be resolved now:',
  ECONNRESET: 'the connection was reset by',
  EHOSTUNREACH: 'there is no way to',
};

function describe(error: Error, { host }: URL): string {
  const code = 'code' in error ? String(error.code) : '';
  const reason = REASONS[code];
  return reason === undefined ? `${host}: ${error.message || code}` : `${reason} ${host}`;
}
