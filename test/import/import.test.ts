/**
 * Files as they are written for other tools (examples/import) and what becomes of them: `NAME.yaml` is what `serin import` prints, `NAME.txt` what it says.
 * `UPDATE_GOLDEN=1 vitest run test/import` rewrites both; read the difference before committing it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatDiagnostic, hasErrors } from '../../src/base/diagnostic.ts';
import { loadText } from '../../src/config/load.ts';
import { importText, IMPORTED_TOOLS, type Imported, type ImportedTool } from '../../src/importers/import.ts';
import { ROOT } from '../helpers/moved-clone.ts';

const UPDATE = process.env['UPDATE_GOLDEN'] === '1';
const EXAMPLES = 'examples/import';

const CASES = IMPORTED_TOOLS.flatMap((tool) =>
  readdirSync(join(ROOT, EXAMPLES, tool)).map((file) => ({ tool, file: `${EXAMPLES}/${tool}/${file}`, name: file.replace('.yaml', '') })),
);

function read(tool: ImportedTool, ...files: readonly string[]): Imported {
  return importText(
    tool,
    files.map((file) => ({ file, content: readFileSync(join(ROOT, file)) })),
  );
}

function check(file: string, actual: string): void {
  if (UPDATE) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, actual);
  }
  expect(actual).toBe(existsSync(file) ? readFileSync(file, 'utf8') : '');
}

describe.each(CASES)('$tool: $name', ({ tool, file, name }) => {
  const imported = read(tool, file);

  test('is printed as', () => {
    check(join(import.meta.dirname, 'golden', tool, `${name}.yaml`), imported.text);
  });

  test('says', () => {
    check(
      join(import.meta.dirname, 'golden', tool, `${name}.txt`),
      imported.diagnostics.map((found) => `${formatDiagnostic(found)}\n`).join(''),
    );
  });

  test('what is printed loads without an error', () => {
    const { diagnostics, resources } = loadText('out.yaml', imported.text);
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(resources.length).toBeGreaterThan(0);
  });

  test('nothing is unknown, and the same comes out again', () => {
    expect(imported.diagnostics.filter(({ code }) => code === 'W_IMPORT_UNKNOWN')).toEqual([]);
    expect(read(tool, file).text).toBe(imported.text);
  });
});

test.each(IMPORTED_TOOLS)('the sample with every field of %s loads without an error as well', (tool) => {
  const { text } = read(tool, `test/import/fields/${tool}.yaml`);
  const { diagnostics } = loadText('out.yaml', text);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
});

test('all Ingresses of a directory get one Gateway', () => {
  const { text } = read('ingress-nginx', ...CASES.filter(({ tool }) => tool === 'ingress-nginx').map(({ file }) => file));
  expect(text.match(/^kind: Gateway$/gm)).toHaveLength(1);
  expect(hasErrors(loadText('out.yaml', text).diagnostics)).toBe(false);
});

test('a syntax error is told at its place, and nothing is printed', () => {
  const { text, diagnostics } = importText('flagger', [{ file: 'a.yaml', content: 'kind: Canary\n  spec: {' }]);
  expect(text).toBe('');
  expect(diagnostics.map(({ code, line }) => [code, line])).toEqual(expect.arrayContaining([['E_YAML_SYNTAX', 2]]));
});

test.each(['', 'null', '[]', 'a: 1', '- kind: Ingress', 'apiVersion: v1\nkind: List\nitems: [1, null, {}]\n'])(
  '%j is no resource of anybody',
  (content) => {
    for (const tool of IMPORTED_TOOLS) expect(importText(tool, [{ file: 'a.yaml', content }]).text).toBe('');
  },
);

test.each(IMPORTED_TOOLS)('values of a wrong type are told and never crash an import of %s', (tool) => {
  const lines = readFileSync(join(ROOT, `test/import/fields/${tool}.yaml`), 'utf8').split('\n');
  const wrong = ['{ a: [1] }', '[[]]', '"text"', '-1.5', 'null', 'true'];
  for (const [index, line] of lines.entries()) {
    const key = /^(?<key> *(?:- )?[A-Za-z]+): ?(?<rest>.*)$/.exec(line)?.groups;
    if (key === undefined || key['rest'] === '' || ['apiVersion', 'kind', 'metadata'].includes((key['key'] ?? '').trim())) continue;
    const changed = lines.with(index, `${key['key'] ?? ''}: ${wrong[index % wrong.length] ?? ''}`).join('\n');
    const { text } = importText(tool, [{ file: 'a.yaml', content: changed }]);
    expect(typeof text).toBe('string');
  }
});
