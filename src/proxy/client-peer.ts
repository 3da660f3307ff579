/** Who is at the other end of a client's connection, and by which listener it came: the same for all its requests. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { TlsSite } from '../routing/table.ts';
import { clientCertificateLine } from './client-certificate.ts';
import type { Generation } from './generation.ts';
import type { ProxyListener } from './listener.ts';

/** An accepted connection: plain, or through its TLS handshake with one site of the listener. */
export type Accepted = { readonly plain: Socket } | { readonly secure: TLSSocket; readonly site: TlsSite };

export class ClientPeer {
  readonly listener: ProxyListener;
  readonly address: string;
  readonly isTrusted: boolean;
  readonly scheme: 'http' | 'https';
  /** SNI. */
  readonly serverName: string | undefined;
  /** Undefined where the client speaks without TLS. */
  readonly #site: TlsSite | undefined;
  readonly #certificate: string;

  constructor(listener: ProxyListener, accepted: Accepted, address: string, isTrusted: boolean) {
    this.listener = listener;
    this.address = address;
    this.isTrusted = isTrusted;
    this.#site = 'secure' in accepted ? accepted.site : undefined;
    this.serverName = 'secure' in accepted ? serverNameOf(accepted.secure) : undefined;
    this.scheme = this.#site === undefined ? 'http' : 'https';
    this.#certificate = 'secure' in accepted ? clientCertificateLine(accepted.secure) : '';
  }

  get generation(): Generation {
    return this.listener.generation;
  }

  /** Lines that say who asked and who passes it on. @param version  Of HTTP, as Via names it (RFC 9110 §7.6.3). */
  identityLines(version: '1.1' | '2.0'): string {
    const via = `via: ${version} ${this.listener.context.settings.viaName}\r\n`;
    return this.isTrusted
      ? `${this.#certificate}${via}`
      : `x-forwarded-for: ${this.address}\r\nx-forwarded-proto: ${this.scheme}\r\n${this.#certificate}${via}`;
  }

  /**
   * RFC 9110 §7.4: a request for another site than the one whose certificate and demands this connection has met.
   *
   * @param wanted  The only site whose connections may ask for it; undefined where there is no such rule.
   */
  isMisdirected(authority: string, wanted: string | undefined): boolean {
    const own = this.#site?.name;
    if (own === undefined) return false;
    if (wanted !== undefined && wanted !== own) return true;
    const site = this.generation.tlsSites(this.listener.name)?.find(authority);
    return site !== undefined && site.name !== own;
  }
}

/** Node says false where the client has named none. */
function serverNameOf({ servername }: TLSSocket & { readonly servername?: string | false | null }): string | undefined {
  return typeof servername === 'string' && servername !== '' ? servername : undefined;
}
