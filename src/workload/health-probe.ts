/**
 * One HTTP health check of one endpoint: `GET path`, a fresh connection made as those for requests are, and the status decides.
 *
 * - 2xx passes; everything else fails, redirects included: they are not followed (reliability P57).
 * - The verdict falls when the head of the answer is there. Of the body at most 64 KiB are read and thrown away, within the same timeout.
 * - A fresh connection every time, so that a check says whether the endpoint accepts new work and never meets a connection that was just
 *   being closed.
 */
import { request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, TLSSocket } from 'node:tls';
import { proxyHeader, type ProxyProtocolVersion } from '../http/proxy-protocol.ts';

const MAX_BODY_BYTES = 64 * 1024;

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  readonly path: string;
  /** Sent as Host. */
  readonly host: string;
  readonly timeoutMs: number;
  /** By prior knowledge, or by ALPN with `tls`. */
  readonly isHttp2?: boolean;
  /** Absent: plain text. */
  readonly tls?: ConnectionOptions | undefined;
  /** Comes first: that no client is behind it. */
  readonly proxyProtocol?: ProxyProtocolVersion | undefined;
}

export interface ProbeResult {
  readonly passed: boolean;
  /** For people: `status 200`, `no answer within 1000 ms`, `ECONNREFUSED`. */
  readonly detail: string;
  /** The endpoint did say no. False when nothing came in time, which a stall of our own explains as well. */
  readonly answered: boolean;
}

/** What a check in either protocol tells. */
interface Telling {
  onStatus(status: number): void;
  /** Of the body. @returns Whether more is read. */
  onBytes(length: number): boolean;
  onError(error: NodeJS.ErrnoException): void;
}

/** @param signal  Aborting it ends the check; the promise then rejects with an AbortError. */
export function probe(target: ProbeTarget, signal: AbortSignal): Promise<ProbeResult> {
  const { promise, resolve, reject } = Promise.withResolvers<ProbeResult>();
  signal.throwIfAborted();
  const socket = open(target);
  let bodyBytes = 0;
  const telling: Telling = {
    onStatus: (status) => resolve({ passed: status >= 200 && status <= 299, detail: `status ${status}`, answered: true }),
    onBytes: (length) => {
      bodyBytes += length;
      return bodyBytes <= MAX_BODY_BYTES;
    },
    onError: (error) => resolve({ passed: false, detail: error.code ?? error.message, answered: error.code === 'ECONNREFUSED' }),
  };
  const onAbort = (): void => {
    reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    socket.destroy();
  };
  const timer = setTimeout(() => {
    resolve({ passed: false, detail: `no answer within ${target.timeoutMs} ms`, answered: false });
    socket.destroy();
  }, target.timeoutMs);
  signal.addEventListener('abort', onAbort);
  socket.on('error', (error) => telling.onError(error));
  socket.on('close', () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    // Nobody has said why.
    telling.onError(new Error('the connection was closed'));
  });
  try {
    if (target.isHttp2 === true) askHttp2(target, socket, telling);
    else askHttp1(target, socket, telling);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return promise;
}

function open({ address, port, tls, isHttp2 = false, proxyProtocol }: ProbeTarget): Socket {
  const socket = connect({ host: address, port, noDelay: true, autoSelectFamily: false });
  if (proxyProtocol !== undefined) socket.write(proxyHeader(proxyProtocol, undefined));
  if (tls === undefined) return socket;
  const secure = connectTls({ ...tls, socket, ALPNProtocols: [isHttp2 ? 'h2' : 'http/1.1'] });
  socket.on('error', (error) => secure.destroy(error));
  return secure;
}

const OWN_FIELDS = { 'user-agent': 'serin-health-check', accept: '*/*' };

/** @throws Where the request cannot be sent: a path with a space, say. */
function askHttp1({ host, path }: ProbeTarget, socket: Socket, telling: Telling): void {
  const check = request({ createConnection: () => socket, path, headers: { host, ...OWN_FIELDS, connection: 'close' } });
  check.on('response', (response) => {
    telling.onStatus(response.statusCode ?? 0);
    response.on('data', (chunk: Uint8Array) => {
      if (!telling.onBytes(chunk.length)) socket.destroy();
    });
    response.on('end', () => socket.destroy());
    // The verdict has fallen; how the body ends does not matter.
    response.on('error', () => socket.destroy());
  });
  check.on('error', (error) => {
    telling.onError(error);
    socket.destroy();
  });
  check.end();
}

function askHttp2({ host, path, tls }: ProbeTarget, socket: Socket, telling: Telling): void {
  const scheme = tls === undefined ? 'http' : 'https';
  const session = connectHttp2(`${scheme}://serin`, { createConnection: () => socket, settings: { enablePush: false } });
  const end = (): void => {
    session.destroy();
    socket.destroy();
  };
  session.on('connect', () => {
    // A server that does not know HTTP/2 would take the preface for a request.
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
      telling.onError(new Error('HTTP/2 was not agreed on'));
      end();
    }
  });
  const onError = (error: Error): void => {
    telling.onError(error);
    end();
  };
  session.on('error', onError);
  const check = session.request({ ':path': path, ':authority': host, ':scheme': scheme, ...OWN_FIELDS });
  check.on('response', (headers) => telling.onStatus(Number(headers[':status'])));
  check.on('data', (chunk: Buffer) => {
    if (!telling.onBytes(chunk.length)) end();
  });
  check.on('error', onError);
  check.on('close', end);
  check.end();
}
