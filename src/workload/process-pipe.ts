/**
 * Pipes for what processes print, read into one buffer that is used again and again.
 *
 * The pipes that `spawn` makes hand out a new buffer with every read, which under a flood costs tens of megabytes before the collector comes. A pair of
 * connected unix sockets does not (measured at 1 GB a minute: 5 MB instead of 68, half the CPU): our end is opened with `onread`, the other is the
 * process's. They meet at a path in a directory nobody else may enter, and the path is gone as soon as they have.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
import { join } from 'node:path';

const BUFFER_BYTES = 64 * 1024;
/** Of the path of a unix socket, everywhere; longer ones are refused (Linux takes 107 bytes, macOS 103). */
const MAX_PATH_BYTES = 100;
const MAX_NUMBER_BYTES = 12;

export class PipeMaker {
  readonly #stateDirectory: string;
  readonly #temporaryDirectory: string;
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  #directory: string | undefined;
  #made = 0;

  constructor(stateDirectory: string, temporaryDirectory: string) {
    this.#stateDirectory = stateDirectory;
    this.#temporaryDirectory = temporaryDirectory;
  }

  /**
   * @param onBytes Given bytes that are overwritten after the call.
   * @param onEnd   Called once, when no process has the other end any more.
   * @returns       The end for the process; destroy it once that has been started, or could not be.
   */
  async open(onBytes: (bytes: Buffer) => void, onEnd: () => void): Promise<Socket> {
    const path = join(this.#ownDirectory(), String(++this.#made));
    rmSync(path, { force: true });
    const server = createServer({ pauseOnConnect: true });
    const accepted = new Promise<Socket>((resolve, reject) => {
      server.once('connection', resolve);
      server.once('error', reject);
    });
    server.listen(path);
    const onListening = new Promise<void>((resolve) => {
      server.once('listening', resolve);
    });
    await Promise.race([onListening, accepted]);
    const callback = (length: number): boolean => {
      onBytes(this.#buffer.subarray(0, length));
      return true;
    };
    const reader = connect({ path, onread: { buffer: this.#buffer, callback } });
    // A pipe that breaks is the end of the output, no more.
    reader.on('error', () => undefined);
    reader.on('close', onEnd);
    const other = await accepted;
    server.close();
    rmSync(path, { force: true });
    return other;
  }

  close(): void {
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Made anew where somebody has tidied it away. */
  #ownDirectory(): string {
    const inState = join(this.#stateDirectory, 'pipes');
    if (Buffer.byteLength(inState) + MAX_NUMBER_BYTES <= MAX_PATH_BYTES) {
      mkdirSync(inState, { recursive: true, mode: 0o700 });
      this.#directory = inState;
    } else if (this.#directory === undefined || !existsSync(this.#directory)) {
      this.#directory = mkdtempSync(join(this.#temporaryDirectory, 'serin-'));
    }
    return this.#directory;
  }
}
