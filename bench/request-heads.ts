/** What the load sends: a request head of about 560 bytes, such as a browser's. */

const FIELDS = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Referer: http://app.example/catalogue/items?page=3&sort=price',
  'Cookie: session=6f1c2a9d8b7e4f30a1b2c3d4e5f60718; theme=dark; consent=essential',
  'Cache-Control: max-age=0',
];

/** Of a whole head, terminating empty line included. */
export const HEAD_BYTES = 560;

/** @param bodyBytes  Of the body that follows; 0 for a GET. */
export function requestHead(path: string, host: string, bodyBytes = 0): string {
  const start = bodyBytes === 0 ? `GET ${path} HTTP/1.1` : `POST ${path} HTTP/1.1`;
  const lines = [start, `Host: ${host}`, ...FIELDS, ...(bodyBytes === 0 ? [] : [`Content-Length: ${bodyBytes}`])];
  const bytes = lines.join('\r\n').length + '\r\nX-Trace: \r\n\r\n'.length;
  return `${lines.join('\r\n')}\r\nX-Trace: ${'0'.repeat(Math.max(1, HEAD_BYTES - bytes))}\r\n\r\n`;
}

/** The large body, in both directions. */
export const LARGE_BYTES = 1024 * 1024;
