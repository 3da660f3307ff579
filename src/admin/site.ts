/** Where the admin API is, as browsers see it: what its names and its origin are, and what its cookie is called. */
import { isLoopback } from './loopback.ts';

export interface Site {
  readonly scheme: 'http' | 'https';
  /** Lower case, IPv6 addresses in brackets; beside the loopback names, which are always taken. */
  readonly names: readonly string[];
  /** Whether other machines can reach it. */
  readonly isExposed: boolean;
  /**
   * The port stands in it, because browsers send a cookie to every port of a host: two Serins on one machine would end each other's sessions. `__Host-`
   * binds it to this host and to TLS (RFC 6265bis §4.1.3.2).
   */
  readonly cookie: string;
}

export function siteOf(host: string, port: number, isTls: boolean, names: readonly string[]): Site {
  const own = host === '0.0.0.0' || host === '::' ? [] : [host.includes(':') ? `[${host}]` : host];
  return {
    scheme: isTls ? 'https' : 'http',
    names: [...own, ...names].map((name) => name.toLowerCase()),
    isExposed: !isLoopback(host),
    cookie: `${isTls ? '__Host-serin' : 'serin-session'}-${port}`,
  };
}

/** @param secret Empty: the browser forgets it. */
export function cookieHeader({ cookie, scheme }: Site, secret: string, seconds: number): string {
  return `${cookie}=${secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${scheme === 'https' ? '; Secure' : ''}`;
}
