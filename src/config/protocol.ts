/** Istio's protocol.Instance.IsHTTP2: what such a port speaks is HTTP/2 whatever a DestinationRule says. */
const HTTP2_PROTOCOLS: ReadonlySet<string> = new Set(['HTTP2', 'GRPC', 'GRPC-WEB']);

export function isHttp2Protocol(protocol: string | undefined): boolean {
  return protocol !== undefined && HTTP2_PROTOCOLS.has(protocol.toUpperCase());
}
