/** A look-alike of the clone whose Bookinfo YAML names other ports, for documents whose commands name files: all else in it is the real thing. */
import { cp, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { movePorts } from '../../examples/bookinfo/demo/ports.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @returns its directory, which is the caller's to remove */
export async function movedClone(portBase: number): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'serin-clone-'));
  for (const name of ['src', 'bin', 'node_modules', 'package.json']) await symlink(join(ROOT, name), join(directory, name));
  const examples = join(directory, 'examples');
  await cp(join(ROOT, 'examples'), examples, { recursive: true });
  for (const name of await readdir(examples, { recursive: true })) {
    const file = join(examples, name);
    if (name.endsWith('.yaml')) await writeFile(file, movePorts(await readFile(file, 'utf8'), portBase));
  }
  return directory;
}
