/** A real Envoy (SERIN_ENVOY: its program) with a bootstrap, on free ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

/** Undefined where there is none: tests that need it are then not run. */
export const ENVOY = process.env['SERIN_ENVOY'];

const Listeners = z.object({
  listener_statuses: z.array(
    z.object({ name: z.string(), local_address: z.object({ socket_address: z.object({ port_value: z.number() }) }) }),
  ),
});

export class EnvoyProcess {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #closed: Promise<void>;
  ports: ReadonlyMap<string, number> = new Map();

  /** @param bootstrap  With port 0 for every listener. @throws with its log when it does not start. */
  static async start(bootstrap: object): Promise<EnvoyProcess> {
    const directory = mkdtempSync(join(tmpdir(), 'serin-envoy-'));
    const file = join(directory, 'envoy.json');
    const adminFile = join(directory, 'admin');
    const admin = { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } };
    writeFileSync(file, JSON.stringify({ ...bootstrap, admin }));
    const child = spawn(ENVOY ?? '', ['-c', file, '--admin-address-path', adminFile, '--concurrency', '1', '--disable-hot-restart'], {
      cwd: directory,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const envoy = new EnvoyProcess(child, directory);
    await envoy.#started();
    const response = await fetch(`http://${readFileSync(adminFile, 'utf8')}/listeners?format=json`);
    const { listener_statuses } = Listeners.parse(await response.json());
    envoy.ports = new Map(listener_statuses.map(({ name, local_address }) => [name, local_address.socket_address.port_value]));
    return envoy;
  }

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.#directory = directory;
    this.#closed = new Promise((resolve) => {
      child.once('close', () => resolve());
    });
  }

  #started(): Promise<void> {
    return new Promise((resolve, reject) => {
      let log = '';
      this.#child.once('error', reject);
      this.#child.once('close', () => reject(new Error(`Envoy did not start:\n${log}`)));
      this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        log += text;
        if (log.includes('starting workers')) resolve();
      });
    });
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Envoy's own opinion of a bootstrap: empty when it would start with it. */
export function validationProblem(bootstrapFile: string, cwd?: string): Promise<string> {
  const child = spawn(ENVOY ?? '', ['--mode', 'validate', '-l', 'error', '-c', bootstrapFile, '--disable-hot-restart'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code === 0 ? '' : `status ${code}: ${output}`));
  });
}
