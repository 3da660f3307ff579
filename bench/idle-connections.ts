/**
 * Opens keep-alive connections, makes one request on each and then holds them.
 *
 *     node bench/idle-connections.ts PORT COUNT
 *
 * Prints `holding N` when all have been answered; stays until it is stopped.
 */
import { connect } from 'node:net';
import { requestHead } from './request-heads.ts';

/** So many connect at a time: more than a listen queue holds would be dropped and tried again a second later. */
const AT_ONCE = 64;

const [port, count] = process.argv.slice(2).map(Number);
const request = requestHead('/', 'app');
let opened = 0;
let answered = 0;

function open(): void {
  if (opened === count) return;
  opened++;
  const socket = connect({ port: port ?? 0, host: '127.0.0.1' });
  socket.write(request);
  socket.once('data', () => {
    answered++;
    if (answered === count) process.stdout.write(`holding ${answered}\n`);
    open();
  });
  socket.on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
}

for (let i = 0; i < AT_ONCE; i++) open();
