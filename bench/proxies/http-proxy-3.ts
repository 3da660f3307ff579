/**
 * http-proxy-3, the maintained successor of npm's best-known proxy, behind `node:http` with a keep-alive agent.
 *
 * Run with two ports (`node bench/proxies/http-proxy-3.ts V1 V2`) it is the proxy itself and prints `port N`.
 */
import { Agent, createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { createProxyServer } from 'http-proxy-3';
import { Child } from '../child.ts';
import { PROXY_CORE } from '../machine.ts';
import type { ProxyKind } from './proxy.ts';

export function httpProxy3(): ProxyKind {
  return {
    name: 'http-proxy-3',
    missing: undefined,
    start: async ({ backends }) => {
      const command = [process.execPath, fileURLToPath(import.meta.url), String(backends.v1), String(backends.v2)];
      const child = new Child('http-proxy-3', PROXY_CORE, command);
      const port = Number((await child.waitFor(/^port (\d+)$/m))[1]);
      return { port, child };
    },
  };
}

function main(v1: number, v2: number): void {
  const proxy = createProxyServer({ agent: new Agent({ keepAlive: true, maxSockets: 64 }), xfwd: true });
  proxy.on('error', (error, _request, response) => {
    process.stderr.write(`${error.message}\n`);
    response.destroy();
  });
  const server = createServer((request, response) => {
    proxy.web(request, response, { target: `http://127.0.0.1:${Math.random() < 0.1 ? v2 : v1}` });
  });
  server.keepAliveTimeout = 300_000;
  server.listen(0, '127.0.0.1', 4096, () => {
    const address = server.address();
    process.stdout.write(`port ${address !== null && typeof address === 'object' ? address.port : 0}\n`);
  });
}

if (import.meta.main) main(Number(process.argv[2]), Number(process.argv[3]));
