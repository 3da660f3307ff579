/** What the answer to a request is written to: a client's socket, or one stream of an HTTP/2 session that takes HTTP/1.1 text all the same (http2/server-stream.ts). */
export interface ClientSocket {
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** Bytes the client has not taken yet. */
  readonly writableLength: number;
  /** Too many of them: more may be written after `drain`. */
  readonly writableNeedDrain: boolean;
  write(text: string, encoding: 'latin1'): boolean;
  write(bytes: Uint8Array): boolean;
  cork(): void;
  uncork(): void;
  /** Breaks the answer off. */
  destroy(): unknown;
  /** The same, where a plain close would look like its end. */
  resetAndDestroy(): unknown;
}
