/** Serin, started as a user starts it: `serin up -f FILE`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../child.ts';
import { PROXY_CORE } from '../machine.ts';
import type { Backends, Place, ProxyKind, RunningProxy } from './proxy.ts';

const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/**
 * @param yaml         Another configuration than the 90/10 split over the two backends.
 * @param gatewayPort  Of a Gateway in it that is asked instead of the mesh.
 * @param core         `any`: all of its threads at once, as in life.
 */
export function serin(name = 'Serin', yaml?: string, gatewayPort?: number, core: number | 'any' = PROXY_CORE): ProxyKind {
  return {
    name,
    missing: undefined,
    start: async ({ directory, backends }: Place): Promise<RunningProxy> => {
      const file = join(directory, 'serin.yaml');
      writeFileSync(file, yaml ?? splitYaml(backends));
      const state = join(directory, 'state');
      const options = ['-f', file, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--state', state];
      if (gatewayPort !== undefined) options.push('--listen', `${gatewayPort}=127.0.0.1:0`);
      const child = new Child(name, core, [process.execPath, CLI, 'up', ...options]);
      await child.waitFor(/^ready$/m);
      const port = Number(new RegExp(`^${gatewayPort ?? 'mesh'}\\s.*127\\.0\\.0\\.1:(\\d+)`, 'm').exec(child.output)?.[1]);
      return { port, child };
    },
  };
}

/** Fifteen lines do a 90/10 split; this is them. */
function splitYaml({ v1, v2 }: Backends): string {
  return `services:
  app:
    port: 80
    versions:
      v1: http://127.0.0.1:${v1}
      v2: http://127.0.0.1:${v2}
    routes:
      - split: { v1: 90, v2: 10 }
`;
}
