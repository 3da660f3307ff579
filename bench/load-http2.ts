/** The load generator over HTTP/2 in plain text: sessions with a few streams at once on each, as a browser or a gRPC client has them; and unary calls. */
import { connect, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';

/** Streams at once on a session. */
export const STREAMS = 8;

export interface Http2Events {
  /** A whole answer. */
  readonly onAnswer: (status: number, firstBytes: Buffer, bodyBytes: number, sentMs: number) => void;
  /** A stream or a session that broke. */
  readonly onBroken: () => void;
}

/** Octets before a message that is not compressed: a flag and its length. */
const PREFIX_BYTES = 5;

/** One message as gRPC frames it. */
export function grpcMessage(text: string): Buffer {
  const message = Buffer.alloc(PREFIX_BYTES + text.length);
  message.writeUInt32BE(text.length, 1);
  message.write(text, PREFIX_BYTES, 'latin1');
  return message;
}

/** Of a call, as clients send it. */
export const CALL_HEAD =
  'POST /bench.Greeter/Hello HTTP/1.1\r\nhost: app\r\nte: trailers\r\ncontent-type: application/grpc\r\n' +
  'user-agent: grpc-node-js/1.14.7\r\ngrpc-accept-encoding: identity,deflate,gzip\r\naccept-encoding: identity\r\ngrpc-timeout: 60S\r\n\r\n';
const CALL_BODY = grpcMessage('a name of thirty-two characters.');

interface AskedRequest {
  readonly headers: OutgoingHttpHeaders;
  readonly isCall: boolean;
}

/**
 * Asks on one session without end.
 *
 * @param heads Complete HTTP/1.1 request heads, sent in turn; without bodies, but that calls get a message.
 */
export function loadSession(port: number, heads: readonly string[], events: Http2Events): void {
  const requests = heads.map((head) => ({ headers: headersOf(head), isCall: head === CALL_HEAD }));
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', events.onBroken);
  session.on('connect', () => {
    for (let stream = 0; stream < STREAMS; stream++) askOn(session, requests, stream, events);
  });
}

function askOn(session: ClientHttp2Session, requests: readonly AskedRequest[], from: number, events: Http2Events): void {
  const sentMs = performance.now();
  const { headers, isCall } = requests[from % requests.length] ?? { headers: {}, isCall: false };
  const stream = session.request(headers, { endStream: !isCall });
  let status = 0;
  let isOk = !isCall;
  let first: Buffer = Buffer.alloc(0);
  let bytes = 0;
  stream.on('response', (answer) => (status = answer[':status'] ?? 0));
  if (isCall) stream.on('trailers', (trailers) => (isOk = trailers['grpc-status'] === '0'));
  stream.on('data', (piece: Buffer) => {
    if (bytes === 0) first = isCall ? piece.subarray(PREFIX_BYTES) : piece;
    bytes += piece.length;
  });
  stream.on('error', () => undefined);
  stream.on('close', () => {
    if (stream.rstCode === 0 && isOk) events.onAnswer(status, first, bytes, sentMs);
    else events.onBroken();
    if (!session.destroyed && !session.closed) askOn(session, requests, from + 1, events);
  });
  if (isCall) stream.end(CALL_BODY);
}

/** The pseudo-header and other fields of an HTTP/1.1 request head. */
export function headersOf(head: string): OutgoingHttpHeaders {
  const [start = '', ...lines] = head.trim().split('\r\n');
  const [method = '', path = ''] = start.split(' ');
  const fields = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)] as const);
  const { host, ...headers } = Object.fromEntries(fields);
  return { ':method': method, ':path': path, ':authority': host, ...headers };
}
