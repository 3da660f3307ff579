/** Which files a path given by the user stands for. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const CONFIG_FILE = /^[^.].*\.(?:yaml|yml|json)$/;

/**
 * A file itself; of a directory the `*.yaml`, `*.yml` and `*.json` files directly in it, by name, as kubectl takes it. Names that begin with a dot
 * are left out (editors' swap files, the `..data` of a mounted ConfigMap).
 *
 * @throws what the file system says when the path is not there or not readable
 */
export async function listConfigFiles(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => CONFIG_FILE.test(name)).sort();
  const files: string[] = [];
  for (const name of names) {
    const file = join(path, name);
    if ((await stat(file)).isFile()) files.push(file);
  }
  return files;
}
