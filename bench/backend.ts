/**
 * Backends in one small Node program, for large bodies and for machines without nginx: two ports, one a version.
 *
 *     node bench/backend.ts
 *
 * Prints `ports V1 V2`. `GET` is answered with `v1` or `v2`, `GET /large` with 1 MiB that begins so, `POST` with the version after its whole
 * body was read. It trusts its callers: a head comes with a Content-Length or has no body.
 */
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { LARGE_BYTES } from './request-heads.ts';

const CRLF2 = Buffer.from('\r\n\r\n');

function answer(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`), body]);
}

function serve(version: string): Server {
  const small = answer(Buffer.from(`${version}\n`));
  const large = answer(Buffer.alloc(LARGE_BYTES, `${version}\n`));
  return createServer({ noDelay: true }, (socket) => {
    let rest: Buffer = Buffer.alloc(0);
    let missing = 0;
    socket.on('data', (chunk: Buffer) => {
      if (missing > 0) {
        missing -= chunk.length;
        if (missing > 0) return;
        socket.write(small);
        // One request at a time: nothing follows a body before its answer.
        missing = 0;
        return;
      }
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const end = rest.indexOf(CRLF2);
      if (end < 0) return;
      const head = rest.latin1Slice(0, end);
      const bodyBytes = Number(/\r\ncontent-length: ?(\d+)/i.exec(head)?.[1] ?? 0);
      missing = bodyBytes - (rest.length - end - CRLF2.length);
      rest = Buffer.alloc(0);
      if (missing <= 0) socket.write(head.startsWith('GET /large') ? large : small);
    });
    // Proxies drop connections when they are stopped.
    socket.on('error', () => socket.destroy());
  });
}

const servers = ['v1', 'v2'].map(serve);
let listening = 0;
for (const server of servers) {
  server.listen(0, '127.0.0.1', () => {
    listening++;
    if (listening < servers.length) return;
    const ports = servers.map((each) => {
      const address = each.address();
      return address !== null && typeof address === 'object' ? address.port : 0;
    });
    process.stdout.write(`ports ${ports.join(' ')}\n`);
  });
}
