/**
 * The TLS servers of one listener: which of them a client means, and the handshake with it.
 *
 * The client's first bytes are read before anything is answered (client-hello.ts), so that each server has its own certificate and its own demands on the client's. An
 * exact name beats the longest wildcard beats `*`; a client that means nobody here is told so (alert unrecognized_name) and learns no certificate. Rules that pass
 * TLS on compete with them by the same order, and get the connection as if nobody had looked at it.
 */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Credentials } from '../config/credential.ts';
import type { TcpRoute, TlsSite } from '../routing/table.ts';
import { DomainIndex } from '../routing/domain-index.ts';
import { matchTcp, patternExactness, plainAddress, type TcpHit } from '../routing/tcp-match.ts';
import { readClientHello } from './client-hello.ts';

/** Reliability P64. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** RFC 8446 §6.2: fatal, unrecognized_name. */
const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

interface Served {
  readonly site: TlsSite;
  readonly server: Server;
  /** Of the pattern that a name is found by. */
  readonly exactness: number;
}

/** What becomes of a connection whose client has said whom it means. */
export interface TlsOutcome {
  /** Its handshake is over. */
  onSecure(secure: TLSSocket, site: TlsSite): void;
  /** It is passed on as it is: paused, with all its bytes still to be read. */
  onPassthrough(route: TcpRoute): void;
}

const NOTHING: Buffer = Buffer.alloc(0);

export class TlsSites {
  readonly #served = new DomainIndex<Served>();
  readonly #passthrough: readonly TcpRoute[];
  /** Connections whose handshake is under way: Node's TLS server says which is through by the addresses of its ends only. */
  readonly #waiting = new Map<string, (secure: TLSSocket, site: TlsSite) => void>();

  /** @throws When a credential cannot be used: a key of another certificate, say. */
  constructor(sites: readonly TlsSite[], passthrough: readonly TcpRoute[], credentials: Credentials) {
    this.#passthrough = passthrough;
    for (const site of sites) {
      const server = tlsServer(site, credentials, (secure) => {
        const key = connectionKey(secure);
        const onSecure = this.#waiting.get(key);
        this.#waiting.delete(key);
        if (onSecure !== undefined && isAcceptable(secure, site)) onSecure(secure, site);
        else secure.destroy();
      });
      for (const pattern of site.serverNames) this.#served.add(pattern, { site, server, exactness: patternExactness(pattern) });
    }
  }

  /** The site that a request belongs to. @param authority As received. */
  find(authority: string): TlsSite | undefined {
    return this.#served.find(authority)?.site;
  }

  /** Takes an accepted connection whose bytes nobody has read. It is destroyed when no handshake comes of it. */
  handshake(socket: Socket, outcome: TlsOutcome): void {
    let hello = NOTHING;
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    // The reason does not matter: the connection is gone before it was one.
    socket.on('error', () => undefined);
    socket.on('close', () => clearTimeout(timer));
    const onData = (bytes: Buffer): void => {
      hello = hello.length === 0 ? bytes : Buffer.concat([hello, bytes]);
      const read = readClientHello(hello);
      if (read === 'more') return;
      clearTimeout(timer);
      socket.off('data', onData);
      socket.pause();
      const whole = hello;
      // What the listeners of a connection remember, it holds for as long as it lives.
      hello = NOTHING;
      const served = typeof read === 'string' ? undefined : this.#served.find(read.serverName ?? '');
      const hit = typeof read === 'string' ? undefined : this.#passOn(socket, read.serverName);
      if (hit !== undefined && hit.exactness > (served?.exactness ?? -1)) {
        socket.unshift(whole);
        outcome.onPassthrough(hit.route);
        return;
      }
      if (served === undefined) {
        if (typeof read === 'string') socket.destroy();
        else socket.end(UNRECOGNIZED_NAME, () => socket.destroySoon());
        return;
      }
      socket.unshift(whole);
      const key = connectionKey(socket);
      this.#waiting.set(key, (secure, site) => outcome.onSecure(secure, site));
      socket.once('close', () => this.#waiting.delete(key));
      served.server.emit('connection', socket);
    };
    socket.on('data', onData);
    socket.resume();
  }

  #passOn({ localAddress = '', remoteAddress = '' }: Socket, serverName: string | undefined): TcpHit | undefined {
    if (this.#passthrough.length === 0) return undefined;
    return matchTcp(this.#passthrough, { serverName, localAddress: plainAddress(localAddress), peerAddress: plainAddress(remoteAddress) });
  }
}

function connectionKey({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** Never listens: connections are handed to it. */
function tlsServer(site: TlsSite, credentials: Credentials, onSecure: (secure: TLSSocket) => void): Server {
  const own = site.certificates.map((name) => credentials.get(name));
  const ca = site.clientCa === undefined ? undefined : credentials.get(site.clientCa);
  const server = createServer(
    {
      cert: own.flatMap((credential) => credential?.certificate ?? []),
      key: own.flatMap((credential) => credential?.privateKey ?? []),
      ...(ca?.ca === undefined ? {} : { ca: ca.ca }),
      ...(ca?.revocations === undefined ? {} : { crl: ca.revocations }),
      requestCert: site.clientCertificate !== 'none',
      rejectUnauthorized: site.clientCertificate === 'required',
      minVersion: site.minVersion,
      maxVersion: site.maxVersion,
      ...(site.ciphers === undefined ? {} : { ciphers: site.ciphers }),
      // What is inside may be anything where it is no HTTP.
      ...(site.tcp === undefined ? { ALPNProtocols: ['h2', 'http/1.1'] } : {}),
      allowHalfOpen: true,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      // A ticket of one server is worth nothing at another (CVE-2026-48934).
      sessionIdContext: createHash('sha256').update(site.name).digest('hex').slice(0, 32),
    },
    onSecure,
  );
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

/** What a Gateway asks of a client's certificate beyond that it leads to its CA. */
function isAcceptable(socket: TLSSocket, site: TlsSite): boolean {
  const { clientCertificate, subjectAltNames, spkiSha256, certificateSha256 } = site;
  if (clientCertificate === 'none' || clientCertificate === 'unchecked') return true;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return clientCertificate === 'optional';
  // Sent, though nobody asked for it to be good: a certificate that does not lead to the CA is refused all the same.
  if (!socket.authorized) return false;
  const names = new Set((certificate.subjectAltName ?? '').split(', ').map((entry) => entry.slice(entry.indexOf(':') + 1)));
  if (subjectAltNames.length > 0 && !subjectAltNames.some((name) => names.has(name))) return false;
  if (certificateSha256.length === 0 && spkiSha256.length === 0) return true;
  return (
    certificateSha256.includes(certificate.fingerprint256.replaceAll(':', '').toLowerCase()) ||
    spkiSha256.includes(sha256Base64(certificate.publicKey.export({ type: 'spki', format: 'der' })))
  );
}

function sha256Base64(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64');
}
