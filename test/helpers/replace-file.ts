import { renameSync, writeFileSync } from 'node:fs';

/** Writes a file as editors do, so that nobody ever reads half of it. */
export function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
