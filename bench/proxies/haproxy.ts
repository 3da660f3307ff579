/** HAProxy: one thread, no log, keep-alive on both sides; the split is an independent weighted draw (`random(1)`), as Serin's is. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, freePort } from '../child.ts';
import { PROXY_CORE, findProgram } from '../machine.ts';
import type { Place, ProxyKind, RunningProxy } from './proxy.ts';

export function haproxy(): ProxyKind {
  const program = findProgram('haproxy');
  return {
    name: 'HAProxy',
    missing: program === undefined ? 'apt install haproxy' : undefined,
    start: async ({ directory, backends }: Place): Promise<RunningProxy> => {
      const port = await freePort();
      const file = join(directory, 'haproxy.cfg');
      const lines = [
        'global',
        '  nbthread 1',
        'defaults',
        '  mode http',
        '  timeout connect 5s',
        '  timeout client 300s',
        '  timeout server 300s',
        'frontend front',
        `  bind 127.0.0.1:${port} backlog 4096`,
        '  default_backend app',
        'backend app',
        '  balance random(1)',
        '  option forwardfor',
        `  server v1 127.0.0.1:${backends.v1} weight 90`,
        `  server v2 127.0.0.1:${backends.v2} weight 10`,
      ];
      writeFileSync(file, `${lines.join('\n')}\n`);
      const child = new Child('HAProxy', PROXY_CORE, [program ?? 'haproxy', '-db', '-f', file]);
      await child.waitForPort(port);
      return { port, child };
    },
  };
}
