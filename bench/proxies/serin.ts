/** Serin, started as a user starts it: `serin up -f FILE`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../child.ts';
import { PROXY_CORE } from '../machine.ts';
import type { Backends, Place, ProxyKind, RunningProxy } from './proxy.ts';

const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** @param yaml  Another configuration than the 90/10 split over the two backends. */
export function serin(name = 'Serin', yaml?: string): ProxyKind {
  return {
    name,
    missing: undefined,
    start: async ({ directory, backends }: Place): Promise<RunningProxy> => {
      const file = join(directory, 'serin.yaml');
      writeFileSync(file, yaml ?? splitYaml(backends));
      const state = join(directory, 'state');
      const options = ['-f', file, '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--state', state];
      const child = new Child(name, PROXY_CORE, [process.execPath, CLI, 'up', ...options]);
      await child.waitFor(/^ready$/m);
      const port = Number(/mesh.*127\.0\.0\.1:(\d+)/.exec(child.output)?.[1]);
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
