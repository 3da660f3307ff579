/** The requests of golden cases (test/golden): `METHOD URL [@LISTENER]`, headers, and what becomes of them behind `=> `. */
import type { RequestView } from '../../src/routing/request-view.ts';

const REQUEST_LINE = /^([A-Z]+) (https?):\/\/([^/?\s]*)([^?\s]*)(?:\?(\S*))?(?: @(\S+))?$/;

export interface GoldenRequest {
  /** Everything above the empty line, remarks included. */
  readonly text: string;
  readonly listener: string;
  readonly view: RequestView;
  readonly headers: ReadonlyMap<string, string>;
}

/** One block of a `requests.http`. */
export function parseRequest(block: string): GoldenRequest {
  const lines = block.split('\n').filter((line) => line !== '' && !line.startsWith('=> '));
  const [requestLine = '', ...headerLines] = lines.filter((line) => !line.startsWith('#'));
  const parts = REQUEST_LINE.exec(requestLine);
  if (parts === null) throw new Error(`expected METHOD URL [@LISTENER], found ${JSON.stringify(requestLine)}`);
  const [, method = '', scheme, authority = '', path = '', query = '', listener = 'mesh'] = parts;
  const headers = new Map<string, string>();
  for (const line of headerLines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers.set(name, headers.has(name) ? `${headers.get(name)},${value}` : value);
  }
  const view = {
    method,
    scheme: scheme === 'https' ? ('https' as const) : ('http' as const),
    authority,
    path: path === '' ? '/' : path,
    query,
    header: (name: string) => headers.get(name),
  };
  return { text: lines.join('\n'), listener, view, headers };
}
