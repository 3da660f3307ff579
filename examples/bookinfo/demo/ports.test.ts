import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { freePorts, movePorts, portsAt } from './ports.ts';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

test('moves every documented port, and no other number', () => {
  expect(movePorts('a: http://127.0.0.1:9080 b: 9086, 9087; 9090 19081 90812 v9', 9180)).toBe(
    'a: http://127.0.0.1:9180 b: 9186, 9187; 9090 19081 90812 v9',
  );
});

test('names the port of a wanted range that is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a TCP address');
  await expect(portsAt(address.port - 3)).rejects.toThrow(/port \d+ is in use/);
});

test('takes ten free ports in a row', async () => {
  const { base, gateway, mesh, admin } = await freePorts(14_080);
  expect([gateway, mesh, admin]).toEqual([base + 7, base + 8, base + 9]);
  for (let port = base; port < base + 10; port++) {
    const server = createServer().listen(port, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
  }
});
