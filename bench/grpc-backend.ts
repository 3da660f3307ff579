/**
 * A gRPC service in one small Node program, HTTP/2 in plain text: two ports, one a version.
 *
 *     node bench/grpc-backend.ts
 *
 * Prints `ports V1 V2`. Every unary call is answered, when its message has been read, with a message that is `v1` or `v2`, and OK.
 */
import { createServer } from 'node:http2';
import type { Http2Server } from 'node:http2';
import { grpcMessage } from './load-http2.ts';

function serve(version: string): Http2Server {
  const answer = grpcMessage(`${version}\n`);
  // A proxy has as many calls under way on a session as it likes.
  const server = createServer({ settings: { maxConcurrentStreams: 1000 }, maxSessionMemory: 100 });
  server.on('session', (session) => session.on('error', () => undefined));
  server.on('stream', (stream) => {
    // A call that is taken back.
    stream.on('error', () => undefined);
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.resume().on('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.end(answer);
    });
  });
  return server;
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
