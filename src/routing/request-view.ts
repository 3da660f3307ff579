/**
 * What matching may look at of one request, whoever carries it: the data plane over a parsed head, `serin explain` over arguments, tests over
 * literals. The implementation makes strings on demand; matching itself allocates nothing.
 */
export interface RequestView {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Host (or the authority of an absolute-form target) as received, port included; empty when there is none. */
  readonly authority: string;
  /** Normalised (P20), without query; `*` for `OPTIONS *`. */
  readonly path: string;
  /** As received, without the `?`; empty when there is none. */
  readonly query: string;
  /** Value of a header by its lower-case name, several joined with `,`; undefined when the request has none. Pseudo headers are not asked for here. */
  header(name: string): string | undefined;
}

/** The path as it stands in the request line: `:path` to Envoy, with the query. */
export function pathAndQuery(request: Pick<RequestView, 'path' | 'query'>): string {
  return request.query === '' ? request.path : `${request.path}?${request.query}`;
}
