/**
 * nginx as a proxy and as the backends: one worker, no log, keep-alive on both sides.
 *
 * The split is by upstream weights, nginx's usual and cheapest way (a round robin; `split_clients` would hash something for every request).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, freePort } from '../child.ts';
import { LOAD_CORE, PROXY_CORE, findProgram } from '../machine.ts';
import type { NginxListen } from '../tls.ts';
import type { Backends, Place, ProxyKind, RunningProxy } from './proxy.ts';

const INSTALL = 'apt install nginx-light';

/**
 * @param buffering  `on` is nginx's default: it takes in a whole request body before it calls the backend, and an answer as fast as it comes
 *                   (kept in memory here, never on disk). `off` passes pieces on as they come, as Serin does.
 * @param listen     What more `listen` says (`ssl`, `http2`), lines of the server, and what it passes on.
 */
export function nginx(name: string, buffering: 'on' | 'off', listen: NginxListen = { options: '', lines: [] }): ProxyKind {
  const program = findProgram('nginx');
  return {
    name,
    missing: program === undefined ? INSTALL : undefined,
    start: async ({ directory, backends }: Place): Promise<RunningProxy> => {
      const port = await freePort();
      const child = startNginx(name, PROXY_CORE, directory, program ?? 'nginx', [
        `upstream app { server 127.0.0.1:${backends.v1} weight=9; server 127.0.0.1:${backends.v2} weight=1; keepalive 64; keepalive_requests 1000000000; }`,
        'server {',
        `  listen 127.0.0.1:${port} backlog=4096 ${listen.options};`,
        ...listen.lines,
        '  location / {',
        ...(listen.passes === 'grpc'
          ? ['    grpc_pass grpc://app;', '    grpc_set_header X-Forwarded-For $proxy_add_x_forwarded_for;']
          : proxyLines(buffering)),
        '    client_body_buffer_size 1m;',
        '    client_max_body_size 0;',
        '  }',
        '}',
      ]);
      await child.waitForPort(port);
      return { port, child };
    },
  };
}

function proxyLines(buffering: 'on' | 'off'): readonly string[] {
  return [
    '    proxy_pass http://app;',
    '    proxy_http_version 1.1;',
    '    proxy_set_header Connection "";',
    '    proxy_set_header Host $host;',
    '    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
    `    proxy_buffering ${buffering};`,
    `    proxy_request_buffering ${buffering};`,
    '    proxy_max_temp_file_size 0;',
  ];
}

/** Backends that answer `v1` and `v2`; undefined without nginx. */
export async function nginxBackends(directory: string): Promise<{ readonly child: Child; readonly backends: Backends } | undefined> {
  const program = findProgram('nginx');
  if (program === undefined) return undefined;
  const backends = { v1: await freePort(), v2: await freePort() };
  const child = startNginx(
    'nginx backends',
    LOAD_CORE,
    directory,
    program,
    (['v1', 'v2'] as const).map((version) => `server { listen 127.0.0.1:${backends[version]} backlog=4096; return 200 "${version}\\n"; }`),
  );
  await child.waitForPort(backends.v1);
  await child.waitForPort(backends.v2);
  return { child, backends };
}

function startNginx(name: string, core: number, directory: string, program: string, http: readonly string[]): Child {
  const file = join(directory, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((each) => `${each}_temp_path ${directory};`);
  const lines = [
    'daemon off;',
    'worker_processes 1;',
    'worker_rlimit_nofile 40000;',
    `pid ${join(directory, 'nginx.pid')};`,
    `error_log ${join(directory, 'error.log')} crit;`,
    'events { worker_connections 20480; }',
    'http {',
    'access_log off;',
    'keepalive_requests 1000000000;',
    'keepalive_timeout 300s;',
    ...temporary,
    ...http,
    '}',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return new Child(name, core, [program, '-p', directory, '-c', file]);
}
