/**
 * Opens keep-alive connections, makes one request on each and then holds them.
 *
 *     node bench/idle-connections.ts PORT COUNT [tls CA.pem | http2]
 *
 * Prints `holding N` when all have been answered; stays until it is stopped.
 */
import { readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { headersOf } from './load-http2.ts';
import { requestHead } from './request-heads.ts';

/** So many connect at a time: more than a listen queue holds would be dropped and tried again a second later. */
const AT_ONCE = 64;

const [portText, countText, protocol, caFile] = process.argv.slice(2);
const port = Number(portText);
const count = Number(countText);
const request = requestHead('/', 'app');
// One for all: a context a connection would be most of what this program holds.
const secureContext = caFile === undefined ? undefined : createSecureContext({ ca: readFileSync(caFile) });
let opened = 0;
let answered = 0;

function open(): void {
  if (opened === count) return;
  opened++;
  if (protocol === 'http2') openSession();
  else openSocket();
}

function openSocket(): void {
  const socket =
    secureContext === undefined
      ? connect({ port, host: '127.0.0.1' })
      : connectTls({ port, host: '127.0.0.1', servername: 'app', secureContext, ALPNProtocols: ['http/1.1'] });
  socket.write(request);
  socket.once('data', onAnswer);
  socket.on('error', fail);
}

function openSession(): void {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', fail);
  session.request(headersOf(request), { endStream: true }).once('data', onAnswer).on('error', fail);
}

function onAnswer(): void {
  answered++;
  if (answered === count) process.stdout.write(`holding ${answered}\n`);
  open();
}

function fail(error: Error): void {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

for (let i = 0; i < AT_ONCE; i++) open();
