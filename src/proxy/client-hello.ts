/**
 * What a TLS client says first, as far as a proxy needs it before it answers: the name of the server it wants (RFC 6066 §3). Read from the bytes alone, so that
 * the connection can still be passed on as it is, or be answered with the certificate and the demands of the server it names.
 */

/** Why no hello can be read; `more`: not all of it is here yet. */
export type HelloProblem = 'more' | 'not-tls' | 'malformed';

export interface ClientHello {
  /** Lower case, without a trailing dot; undefined where the client names none, or nothing that could be a name. */
  readonly serverName: string | undefined;
}

/** RFC 8446 §5.1: 2^14 and a header a record; a hello of several records is longer than any client's. */
const MAX_HELLO_BYTES = 65_536;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;

export function readClientHello(bytes: Buffer): ClientHello | HelloProblem {
  const message = handshake(bytes);
  if (typeof message === 'string') return message;
  const reader = new Reader(message);
  // legacy_version, random, legacy_session_id, cipher_suites, legacy_compression_methods (RFC 8446 §4.1.2)
  reader.skip(2 + 32);
  reader.skip(reader.uint(1));
  reader.skip(reader.uint(2));
  reader.skip(reader.uint(1));
  if (reader.isBroken) return 'malformed';
  if (reader.left === 0) return { serverName: undefined };
  const extensions = new Reader(reader.take(reader.uint(2)));
  let serverName: string | undefined;
  while (extensions.left > 0 && !extensions.isBroken) {
    const type = extensions.uint(2);
    const body = extensions.take(extensions.uint(2));
    if (type === SERVER_NAME) serverName ??= hostName(body);
  }
  return reader.isBroken || extensions.isBroken ? 'malformed' : { serverName };
}

/** The body of the ClientHello, put together from its records. */
function handshake(bytes: Buffer): Buffer | HelloProblem {
  const parts: Buffer[] = [];
  let length = 0;
  let wanted = Number.POSITIVE_INFINITY;
  for (let at = 0; length < wanted;) {
    if (at >= bytes.length) return 'more';
    if (bytes[at] !== HANDSHAKE) return 'not-tls';
    if (bytes.length > at + 1 && bytes[at + 1] !== 3) return 'not-tls';
    if (bytes.length < at + 5) return 'more';
    const recordLength = bytes.readUInt16BE(at + 3);
    if (recordLength === 0 || recordLength > 16_640) return 'malformed';
    const part = bytes.subarray(at + 5, at + 5 + recordLength);
    parts.push(part);
    length += part.length;
    const start = Buffer.concat(parts.slice(0, 4), Math.min(4, length));
    if (start[0] !== undefined && start[0] !== CLIENT_HELLO) return 'malformed';
    if (start.length === 4) wanted = 4 + start.readUIntBE(1, 3);
    if (wanted !== Number.POSITIVE_INFINITY && wanted > MAX_HELLO_BYTES) return 'malformed';
    if (part.length < recordLength && length < wanted) return 'more';
    at += 5 + recordLength;
  }
  return Buffer.concat(parts).subarray(4, wanted);
}

function hostName(extension: Buffer): string | undefined {
  const list = new Reader(new Reader(extension).takeSized(2));
  while (list.left > 0 && !list.isBroken) {
    const type = list.uint(1);
    const name = list.take(list.uint(2)).toString('latin1');
    // Anything else is no name that a certificate or a route could have (reliability P82).
    if (type === HOST_NAME && !list.isBroken)
      return /^[A-Za-z0-9_.*-]{1,255}$/.test(name) ? name.toLowerCase().replace(/\.$/, '') : undefined;
  }
  return undefined;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  /** Something was read beyond the end. */
  isBroken = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(count: number): void {
    this.take(count);
  }

  take(count: number): Buffer {
    if (count > this.left) {
      this.isBroken = true;
      this.#at = this.#bytes.length;
      return Buffer.alloc(0);
    }
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return taken;
  }

  takeSized(sizeBytes: number): Buffer {
    return this.take(this.uint(sizeBytes));
  }

  uint(bytes: number): number {
    const field = this.take(bytes);
    return field.length === 0 ? 0 : field.readUIntBE(0, bytes);
  }
}
