/**
 * The dashboard's files: read once, at the start, and served from memory by their exact path, so that no path of a request ever reaches the file system.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

/** What a page may load: its own scripts, styles, images and answers, and nothing that stands in its text. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

export interface StaticFile {
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** By path: `/`, `/assets/NAME`. */
export type StaticFiles = ReadonlyMap<string, StaticFile>;

const NOT_BUILT = `Serin runs, but its dashboard is not built: run npm run build:web and start Serin again.
The API is described in /openapi.json; the command line shows the rest: serin get, serin rollout.
`;

/** @param directory With index.html and assets/. Undefined or without index.html: a page that says so. @throws fs errors */
export function readStaticFiles(directory: string | undefined): StaticFiles {
  if (directory === undefined || !existsSync(join(directory, 'index.html')))
    return new Map([['/', fileOf('text/plain; charset=utf-8', new TextEncoder().encode(NOT_BUILT))]]);
  const files = new Map([['/', read(join(directory, 'index.html'))]]);
  const assets = join(directory, 'assets');
  if (!existsSync(assets)) return files;
  for (const entry of readdirSync(assets, { withFileTypes: true }))
    if (entry.isFile() && extname(entry.name) in TYPES) files.set(`/assets/${entry.name}`, read(join(assets, entry.name)));
  return files;
}

function read(path: string): StaticFile {
  return fileOf(TYPES[extname(path)] ?? '', new Uint8Array(readFileSync(path)));
}

function fileOf(type: string, bytes: Uint8Array<ArrayBuffer>): StaticFile {
  return { headers: { 'content-type': type, 'content-security-policy': PAGE_POLICY }, bytes };
}
