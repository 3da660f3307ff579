import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4 } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemLookup } from './name-lookup.ts';

/** A label is at most 63 octets long (RFC 1035 §2.3.4), so the system says no without asking anybody. */
const NO_NAME = `${'x'.repeat(64)}.invalid`;

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

/** A name server on UDP that answers every A question with 127.0.0.1 and the given time to live, every other with nothing (RFC 1035 §4). */
async function nameServer(ttlSeconds: number | undefined): Promise<string> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.on('message', (query, { address, port }) => {
    if (ttlSeconds === undefined) return;
    const question = query.subarray(12, query.indexOf(0, 12) + 5);
    const isA = question.readUInt16BE(question.length - 4) === 1;
    const header = Buffer.from([query[0] ?? 0, query[1] ?? 0, 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
    record.writeUInt32BE(ttlSeconds, 6);
    socket.send(Buffer.concat(isA ? [header, question, record] : [header, question]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `127.0.0.1:${socket.address().port}`;
}

test('addresses come from the system, IPv4 first, the time to live from the name server', async () => {
  const answer = await systemLookup([await nameServer(7)])('localhost');
  expect(answer.addresses).toContain('127.0.0.1');
  expect(answer.addresses.every(isIPv4)).toBe(true);
  expect(answer.ttlMs).toBe(7000);
});

test('a name server that is silent costs the time to live, not the addresses', async () => {
  const answer = await systemLookup([await nameServer(undefined)])('localhost');
  expect(answer.addresses).toContain('127.0.0.1');
  expect(answer.ttlMs).toBeUndefined();
});

test('a name that has no address is an error', async () => {
  await expect(systemLookup([await nameServer(60)])(NO_NAME)).rejects.toThrow(NO_NAME);
});
