/** Node's own HTTP/2 client, as tests ask with it. */
import { once } from 'node:events';
import {
  connect,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import { onTestFinished } from 'vitest';

export interface Http2Answer {
  readonly status: number;
  /** Flat, as they came: name, value, name, value, …; without `:status`. */
  readonly list: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly trailers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly interim: readonly number[];
  /** The code of the RST_STREAM that ended it; 0 where none did. */
  readonly resetCode: number;
}

/** A session that is ended with the test. */
export async function http2Client(
  port: number,
  options: SecureClientSessionOptions & { readonly scheme?: 'http' | 'https' } = {},
): Promise<ClientHttp2Session> {
  const session = connect(`${options.scheme ?? 'http'}://127.0.0.1:${port}`, options);
  session.on('error', () => undefined);
  onTestFinished(() => session.destroy());
  await once(session, 'connect');
  return session;
}

/** Reads the answer on a stream to its end, however it ends. */
export function http2Answer(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve) => {
    let list: readonly string[] = [];
    let trailers: Readonly<Record<string, string>> = {};
    const pieces: Buffer[] = [];
    const interim: number[] = [];
    stream.on('headers', (headers) => interim.push(Number(headers[':status'])));
    stream.on('response', (_headers, _flags, raw: unknown) => (list = raw as string[]));
    stream.on(
      'trailers',
      (fields) => (trailers = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]))),
    );
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('error', () => undefined);
    stream.on('close', () => {
      const headers: Record<string, string> = {};
      for (let at = 0; at + 1 < list.length; at += 2) headers[list[at] ?? ''] = list[at + 1] ?? '';
      const status = Number(headers[':status'] ?? 0);
      resolve({ status, list, headers, trailers, body: Buffer.concat(pieces), interim, resetCode: stream.rstCode ?? 0 });
    });
  });
}

/** One request with all of its body, and its answer. */
export function http2Ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}, body?: string | Buffer): Promise<Http2Answer> {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return http2Answer(stream);
}
