/** Serin as a user starts it, with releases to watch, for measurements of the whole program. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Child } from '../child.ts';

const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const Listed = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ name: z.string() }),
      status: z.looseObject({
        phase: z.string(),
        message: z.string(),
        outcome: z.string().optional(),
        currentStep: z.string().optional(),
        analysis: z.looseObject({ evidence: z.number(), shareEvidence: z.number() }).optional(),
        decisions: z.array(
          z.looseObject({
            at: z.string(),
            action: z.string(),
            reason: z.string(),
            evidence: z.looseObject({ dataPlane: z.looseObject({ at: z.string() }).optional() }).optional(),
          }),
        ),
      }),
    }),
  ),
});

export type Release = z.infer<typeof Listed>['items'][number];

export class Daemon {
  readonly directory = mkdtempSync(join(tmpdir(), 'serin-bench-release-'));
  readonly #child: Child;
  meshPort = 0;
  adminPort = 0;

  private constructor(config: string, options: readonly string[]) {
    this.write('releases.yaml', config);
    const files = ['-f', this.directory, '--state', this.#state];
    const addresses = ['--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    this.#child = new Child('serin', 'any', [process.execPath, CLI, 'up', ...files, ...addresses, ...options]);
  }

  /** @param options Further ones of `serin up`. */
  static async start(config: string, options: readonly string[] = []): Promise<Daemon> {
    const daemon = new Daemon(config, options);
    await daemon.#child.waitFor(/^ready$/m);
    const portOf = (name: string): number => Number(new RegExp(`${name}.*127\\.0\\.0\\.1:(\\d+)`).exec(daemon.#child.output)?.[1]);
    daemon.meshPort = portOf('mesh');
    daemon.adminPort = portOf('admin');
    return daemon;
  }

  get #state(): string {
    return `${this.directory}-state`;
  }

  /** A file of the configuration, which is watched. */
  write(name: string, yaml: string): void {
    writeFileSync(join(this.directory, name), yaml);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Header of requests to the admin API. */
  get authorization(): string {
    return `Bearer ${readFileSync(join(this.#state, 'token'), 'utf8').trim()}`;
  }

  async releases(): Promise<readonly Release[]> {
    const { authorization } = this;
    const response = await fetch(`http://127.0.0.1:${this.adminPort}/api/v1/rollouts`, { headers: { authorization } });
    return Listed.parse(await response.json()).items;
  }

  async stop(): Promise<void> {
    await this.#child.stop();
    rmSync(this.directory, { recursive: true, force: true });
    rmSync(this.#state, { recursive: true, force: true });
  }
}
