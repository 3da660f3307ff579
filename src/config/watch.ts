/**
 * Notices that configuration files changed. It only signals: what the change is, and whether it can be used, loading decides, so a
 * half-written or deleted file costs nothing here.
 *
 * Any event under a path, and every `pollMs` without one, leads to a re-scan; the signal is given when the content differs from the last
 * scan. That sees atomic renames, the `..data` symlink swap of a mounted ConfigMap and file systems without events alike. A path that is gone is
 * watched through its directory and counts as empty until it is back.
 */
import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { listConfigFiles } from './config-files.ts';

export interface WatchOptions {
  /** Quiet time after an event before the scan; default 200 ms. */
  readonly debounceMs?: number;
  /** How often to scan without an event; default 2 s. */
  readonly pollMs?: number;
}

export interface Watch {
  /** Resolves when the first scan is done: every change from then on is signalled. Load after it, and no change falls in between. */
  readonly ready: Promise<void>;
  close(): void;
}

export function watchFiles(paths: readonly string[], onChange: () => void, options: WatchOptions = {}): Watch {
  return new FileWatch(paths, onChange, options.debounceMs ?? 200, options.pollMs ?? 2000);
}

class FileWatch implements Watch {
  readonly ready: Promise<void>;
  readonly #paths: readonly string[];
  readonly #onChange: () => void;
  readonly #debounceMs: number;
  readonly #pollMs: number;
  readonly #watchers = new Map<string, FSWatcher>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isScanning = false;
  /** An event came while a scan was running: what it read may be old already. */
  #isStale = false;
  /** Of the content at the last scan; undefined before the first. */
  #hash: string | undefined;

  constructor(paths: readonly string[], onChange: () => void, debounceMs: number, pollMs: number) {
    this.#paths = paths;
    this.#onChange = onChange;
    this.#debounceMs = debounceMs;
    this.#pollMs = pollMs;
    this.ready = this.#scan();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#scan(), delayMs);
    this.#timer.unref();
  }

  #onEvent(): void {
    if (this.#isScanning) this.#isStale = true;
    else this.#schedule(this.#debounceMs);
  }

  async #scan(): Promise<void> {
    this.#isScanning = true;
    this.#isStale = false;
    await this.#watchDirectories();
    const hash = await contentHash(this.#paths);
    this.#isScanning = false;
    if (this.#isClosed) return;
    const isChanged = this.#hash !== undefined && this.#hash !== hash;
    this.#hash = hash;
    this.#schedule(this.#isStale ? this.#debounceMs : this.#pollMs);
    if (isChanged) this.#onChange();
  }

  /** Directories rather than files, whose identity changes when an editor saves; and those that symlinks lead to. */
  async #watchDirectories(): Promise<void> {
    const wanted = new Set<string>();
    for (const path of this.#paths) {
      wanted.add((await isDirectory(path)) ? path : dirname(path));
      const target = await realpath(path).catch(() => path);
      wanted.add((await isDirectory(target)) ? target : dirname(target));
    }
    if (this.#isClosed) return;
    for (const [directory, watcher] of this.#watchers) {
      if (wanted.has(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    for (const directory of wanted) {
      if (!this.#watchers.has(directory)) this.#watch(directory);
    }
  }

  #watch(directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#onEvent());
      // The directory is gone or cannot be watched any more: polling goes on, and watches it again when it can.
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(directory);
      });
      this.#watchers.set(directory, watcher);
    } catch {
      // No such directory, or no watches left: polling sees the change a little later.
    }
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** What is not there or cannot be read counts by its error, so that its return is a change. */
async function contentHash(paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    const files = await listConfigFiles(path).catch((error: unknown) => [String(error)]);
    for (const file of files) {
      hash.update(`${file}\0`);
      hash.update(await readFile(file).catch((error: unknown) => String(error)));
    }
  }
  return hash.digest('hex');
}
