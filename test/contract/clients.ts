/** Clients of every protocol that reaches an engine, all asked in the same way. */
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect as http2Connect, type OutgoingHttpHeaders } from 'node:http2';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { http2Answer } from '../helpers/http2-client.ts';

export const PROTOCOLS = ['HTTP/1.1', 'HTTP/1.1 over TLS', 'HTTP/2 in plain text', 'HTTP/2 over TLS'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export function schemeOf(protocol: Protocol): 'http' | 'https' {
  return protocol.endsWith('TLS') ? 'https' : 'http';
}

export interface Sent {
  readonly method: string;
  readonly authority: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  /** Flat: name, value, name, value, …; without `:status`, and over HTTP/2 with the trailers. */
  readonly list: readonly string[];
  readonly body: string;
}

export interface Client {
  ask(sent: Sent): Promise<Answer>;
  close(): void;
}

/** @param ca  Of the certificate that is shown over TLS, where every name is taken for that of the certificate. */
export async function connectClient(protocol: Protocol, port: number, ca: string): Promise<Client> {
  const tls = { ca, servername: 'contract.test' };
  if (protocol.startsWith('HTTP/2')) return http2Client(`${schemeOf(protocol)}://127.0.0.1:${port}`, tls);
  const isTls = schemeOf(protocol) === 'https';
  const options = { keepAlive: true, maxSockets: 8 };
  return http1Client(port, isTls ? new TlsAgent({ ...options, ...tls, ALPNProtocols: ['http/1.1'] }) : new Agent(options), isTls);
}

function http1Client(port: number, agent: Agent, isTls: boolean): Client {
  return {
    ask: ({ method, authority, target, headers, body }) =>
      new Promise((resolve, reject) => {
        // Names and values as a flat list keep their order and letters.
        const fields = [
          'host',
          authority,
          ...headers.flat(),
          ...(body === undefined ? [] : ['content-length', String(Buffer.byteLength(body))]),
        ];
        const options = { host: '127.0.0.1', port, method, path: target, agent, headers: fields };
        const onResponse = (response: IncomingMessage): void => {
          let text = '';
          response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, list: response.rawHeaders, body: text }));
          response.on('error', reject);
        };
        const asking = isTls ? httpsRequest(options, onResponse) : httpRequest(options, onResponse);
        asking.on('error', reject);
        asking.end(body);
      }),
    close: () => agent.destroy(),
  };
}

async function http2Client(origin: string, tls: { readonly ca: string; readonly servername: string }): Promise<Client> {
  const session = http2Connect(origin, tls);
  await once(session, 'connect');
  return {
    ask: async ({ method, authority, target, headers, body }) => {
      const fields: OutgoingHttpHeaders = { ':method': method, ':path': target, ':authority': authority };
      for (const [name, value] of headers) {
        const lower = name.toLowerCase();
        const earlier = fields[lower];
        fields[lower] = earlier === undefined ? value : [...(Array.isArray(earlier) ? earlier : [String(earlier)]), value];
      }
      const stream = session.request(fields, { endStream: body === undefined });
      if (body !== undefined) stream.end(body);
      const answer = await http2Answer(stream);
      const at = answer.list.indexOf(':status');
      const list = [...(at === -1 ? answer.list : answer.list.toSpliced(at, 2)), ...Object.entries(answer.trailers).flat()];
      return { status: answer.status, list, body: answer.body.toString() };
    },
    close: () => session.destroy(),
  };
}
