/** What the servers of Gateways do with the connections they take. */
import type { GatewayServer } from './resources.ts';

/**
 * - `http`: HTTP as it comes; `https`: HTTP within TLS that ends here
 * - `tcp`: bytes as they come; `tls`: bytes within TLS that ends here
 * - `passthrough`: TLS as it comes, by the name its client asks for
 */
export type GatewayTraffic = 'http' | 'https' | 'tcp' | 'tls' | 'passthrough';

const HTTP: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB']);
/** Protocols of which Serin knows nothing but that they are bytes over TCP. */
const OPAQUE: ReadonlySet<string> = new Set(['TCP', 'MONGO', 'REDIS', 'MYSQL']);
const ENDS_TLS: ReadonlySet<string> = new Set(['SIMPLE', 'MUTUAL', 'OPTIONAL_MUTUAL']);

/** The same of a server's parsed form. */
type Described = Pick<GatewayServer, 'tls'> & { readonly port: Pick<GatewayServer['port'], 'protocol'> };

/** Undefined where the server is not opened: it needs the certificates of a mesh, or is no TCP. */
export function gatewayTraffic({ port, tls }: Described): GatewayTraffic | undefined {
  const protocol = port.protocol.toUpperCase();
  if (HTTP.has(protocol)) return 'http';
  if (OPAQUE.has(protocol)) return 'tcp';
  if (protocol !== 'HTTPS' && protocol !== 'TLS') return undefined;
  const mode = tls?.mode ?? 'PASSTHROUGH';
  if (mode === 'PASSTHROUGH') return 'passthrough';
  if (!ENDS_TLS.has(mode)) return undefined;
  return protocol === 'HTTPS' ? 'https' : 'tls';
}

/** A server with a certificate of its own. */
export function endsTls(server: Described): boolean {
  const traffic = gatewayTraffic(server);
  return traffic === 'https' || traffic === 'tls';
}
