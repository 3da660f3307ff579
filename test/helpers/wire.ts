/** What wire tests share: a rig that closes with its test, and requests as literals. */
import { onTestFinished } from 'vitest';
import { Rig } from './rig.ts';
import type { RigOptions } from './rig.ts';

export async function rig(options: RigOptions = {}): Promise<Rig> {
  const started = await Rig.start(options);
  onTestFinished(() => started.close());
  return started;
}

export const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** `GET / HTTP/1.1` with these field lines after Host. */
export function get(lines: string, target = '/'): string {
  return `GET ${target} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;
}

/** A chunked POST with this body as it stands on the wire. */
export function chunked(body: string, lines = ''): string {
  return `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${lines}\r\n${body}`;
}
