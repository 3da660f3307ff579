/**
 * Query parameters for matching, read in place.
 *
 * Envoy's router parses the query without decoding it (QueryParamsMulti::parseQueryString with decode_params=false, in
 * RouteEntryImplBase::matchRoute) and looks at the first value of a name only; `a` without `=` has the empty value. Serin does the same, so that
 * one resource means one thing on every engine.
 */
export function firstQueryValue(query: string, name: string): string | undefined {
  const length = query.length;
  for (let start = 0; start < length;) {
    let end = query.indexOf('&', start);
    if (end === -1) end = length;
    const afterName = start + name.length;
    if (afterName <= end && query.startsWith(name, start)) {
      if (afterName === end) return '';
      if (query.charCodeAt(afterName) === EQUALS) return query.slice(afterName + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

/** The rest of the query without any parameter of that name; everything else as received. */
export function withoutQueryParam(query: string, name: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== name && !pair.startsWith(`${name}=`))
    .join('&');
}

const EQUALS = 0x3d;
