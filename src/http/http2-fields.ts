/** What HTTP/2 says about fields (RFC 9113 §8.2). */

/** They belong to a connection of HTTP/1.1 and have no meaning here (§8.2.2). */
export const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** Lower case (§8.2.1). */
export const FIELD_NAME = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/;

/** What could end a line, or does not belong around a value (§8.2.1). */
export const UNSAFE_VALUE = /[\r\n\0]|^[ \t]|[ \t]$/;
