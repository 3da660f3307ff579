/** Texts that no configuration should be, each with its own clear problem at its own place (reliability B-3 to B-17). */
import { describe, expect, test } from 'vitest';
import { parseYaml } from './yaml.ts';
import { toPlain } from './yaml-node.ts';

function problemsOf(source: string | Uint8Array): string[] {
  const { problems, lines } = parseYaml(source);
  return problems.map(({ code, offset }) => {
    const { line, column } = lines.position(offset);
    return `${line}:${column} ${code}`;
  });
}

function valuesOf(source: string | Uint8Array): unknown[] {
  const { documents, problems } = parseYaml(source);
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  return documents.map(toPlain);
}

const nested = (levels: number): string => Array.from({ length: levels }, (_, index) => `${' '.repeat(index)}a:`).join('\n');

describe('refused, with the place', () => {
  test.each([
    ['tab for indentation (B-6)', 'a:\n\tb: 1\n', ['2:1 E_YAML_TAB']],
    ['bracket never closed (B-7)', 'x: 1\na: [1, 2\nb: 3\n', ['2:4 E_YAML_SYNTAX']],
    ['brace never closed, nested', 'a: {b: [1]\n', ['1:4 E_YAML_SYNTAX']],
    ['quote never closed', 'x: 1\na: "abc\nb: c\n', ['2:4 E_YAML_SYNTAX']],
    ['single quote never closed', "a: 'abc\n", ['1:4 E_YAML_SYNTAX']],
    ['duplicate key (B-8)', 'a: 1\nb: 2\na: 3\n', ['3:1 E_YAML_DUPLICATE_KEY']],
    ['duplicate key in another notation', 'a: 1\n"a": |\n  x\n', ['2:1 E_YAML_DUPLICATE_KEY']],
    ['custom tag (B-10)', 'a: !!js/function x\n', ['1:4 E_YAML_TAG']],
    ['python tag', 'b: 1\na: !!python/object/apply:os.system ["x"]\n', ['2:4 E_YAML_TAG']],
    ['local tag', 'a: !secret x\n', ['1:4 E_YAML_TAG']],
    ['tag directive', '%TAG ! tag:x,2000:\n---\na: 1\n', ['1:1 E_YAML_TAG']],
    ['alias inside its own anchor (B-12)', 'a: &a [*a]\n', ['1:8 E_YAML_ALIAS_CYCLE']],
    ['alias of nothing', 'a: *nobody\n', ['1:4 E_YAML_SYNTAX']],
    ['flow depth 65 (B-13)', `${'['.repeat(70)}${']'.repeat(70)}`, ['1:66 E_CONFIG_DEPTH']],
    ['block depth', `${nested(70)} 1`, ['66:66 E_CONFIG_DEPTH']],
    ['dash depth', `${'- '.repeat(1000)}a`, ['1:131 E_CONFIG_DEPTH']],
    ['reserved key (B-15)', 'a:\n  b:\n    __proto__: 1\n', ['3:5 E_RESERVED_KEY']],
    ['reserved key in flow', '{"a": {"constructor": 1}}', ['1:8 E_RESERVED_KEY']],
    ['reserved key in a sequence', '- prototype: 1\n', ['1:3 E_RESERVED_KEY']],
    ['reserved key under a merge (B-16)', 'a: &x { __proto__: 1 }\nb:\n  <<: *x\n', ['1:9 E_RESERVED_KEY']],
    ['mapping as key', '? {a: 1}\n: 2\n', ['1:3 E_YAML_SYNTAX']],
    ['mapping in a scalar line', 'a: b: c\n', ['1:4 E_YAML_SYNTAX']],
  ])('%s', (_name, text, expected) => {
    expect(problemsOf(text).slice(0, 1)).toEqual(expected);
  });

  test('two mistakes in two documents are both reported', () => {
    expect(problemsOf('a: [1\n---\nb: 1\nb: 2\n---\nc: !x 1\n')).toEqual([
      '1:4 E_YAML_SYNTAX',
      '4:1 E_YAML_DUPLICATE_KEY',
      '6:4 E_YAML_TAG',
    ]);
  });

  test('a duplicate key names both lines', () => {
    expect(parseYaml('a: 1\nb: 2\na: 3\n').problems[0]?.message).toBe('key "a" stands on line 1 and again on line 3');
  });

  test.each([
    ['file over 8 MiB (B-3)', Buffer.alloc(8 * 1024 * 1024 + 1, 32), /^file has 8388609 bytes, the limit is 8388608$/],
    ['UTF-16, little endian (B-4)', Buffer.from('\uFEFFa: 1', 'utf16le'), /UTF-16/],
    ['UTF-16, big endian', Buffer.from([0xfe, 0xff, 0, 97]), /UTF-16/],
    ['NUL byte', Buffer.from('a: b\0c'), /NUL byte at byte 4/],
    ['invalid UTF-8', Buffer.from([97, 58, 32, 0xc3, 0x28]), /invalid UTF-8 at byte 3/],
    ['cut UTF-8', Buffer.from([97, 58, 32, 0xe2, 0x82]), /invalid UTF-8 at byte 3/],
    ['surrogate in UTF-8', Buffer.from([97, 0xed, 0xa0, 0x80]), /invalid UTF-8 at byte 1/],
  ])('%s', (_name, bytes, message) => {
    const [problem] = parseYaml(bytes).problems;
    expect(problem?.code).toMatch(/^E_CONFIG_(?:TOO_LARGE|ENCODING)$/);
    expect(problem?.message).toMatch(message);
  });

  test('an alias bomb is refused without being expanded (B-11)', () => {
    const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x]'];
    for (let level = 1; level <= 9; level++)
      lines.push(
        `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join(',')}]`,
      );
    const before = process.memoryUsage().heapUsed;
    expect(problemsOf(lines.join('\n'))).toEqual([expect.stringContaining('E_YAML_ALIAS_LIMIT')]);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50 * 1024 * 1024);
  });

  test('nesting of 100,000 is survived again and again (B-13)', () => {
    for (const text of ['['.repeat(100_000), '{"a":'.repeat(20_000), '- '.repeat(100_000), '? '.repeat(50_000), nested(2000)]) {
      for (let round = 0; round < 20; round++) expect(problemsOf(text)[0]).toContain('E_CONFIG_DEPTH');
    }
  });

  test('no key reaches a prototype', () => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      parseYaml(`${key}: { polluted: 1 }\na: { ${key}: { polluted: 1 } }\n`).documents.map(toPlain);
      parseYaml(`base: &b { ${key}: { polluted: 1 } }\na: { <<: *b }\n`).documents.map(toPlain);
    }
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
});

describe('accepted', () => {
  test.each([
    ['byte order mark (B-5)', Buffer.from('\uFEFFa: 1\n'), [{ a: 1 }]],
    ['CRLF (B-5)', 'a: 1\r\nb:\r\n  - c\r\n', [{ a: 1, b: ['c'] }]],
    ['several documents', '---\na: 1\n--- # two\nb: 2\n---\n# nothing\n---\nc: 3\n', [{ a: 1 }, { b: 2 }, { c: 3 }]],
    ['documents with end markers', 'a: 1\n...\n---\nb: 2\n', [{ a: 1 }, { b: 2 }]],
    ['JSON', '{"a": [1, {"b": null}], "c": "\\u00e9"}', [{ a: [1, { b: null }], c: 'é' }]],
    ['anchors and aliases', 'a: &x { b: 1 }\nc: *x\n', [{ a: { b: 1 }, c: { b: 1 } }]],
    [
      'merge keys, own keys first',
      'a: &x { b: 1, c: 2 }\nd: &y { b: 5, e: 6 }\nf:\n  <<: [*x, *y]\n  c: 3\n',
      [{ a: { b: 1, c: 2 }, d: { b: 5, e: 6 }, f: { c: 3, b: 1, e: 6 } }],
    ],
    ['block scalars', 'a: |\n  x\n  y\nb: >-\n  z\n  w\n', [{ a: 'x\ny\n', b: 'z w' }]],
    ['core tags', 'a: !!str 1\nb: !!int "2"\n', [{ a: '1', b: 2 }]],
    ['version directive changes nothing', '%YAML 1.1\n---\na: yes\n', [{ a: 'yes' }]],
    ['keys that look like other types', '1: a\ntrue: b\n', [{ '1': 'a', true: 'b' }]],
    ['depth 64', `${nested(63)}\n${' '.repeat(63)}a: 1 # plain\nb: &x 1`, [expect.anything()]],
    ['nothing', '', []],
    ['comments only', '# a\n---\n# b\n', []],
  ])('%s', (_name, source, expected) => {
    expect(valuesOf(source)).toEqual(expected);
  });

  test('100,000 keys in one mapping, also when the full parser reads them (B-14)', () => {
    const keys = Array.from({ length: 100_000 }, (_, index) => `k${index}: 1`).join('\n');
    expect(Object.keys(valuesOf(keys)[0] ?? {})).toHaveLength(100_000);
    expect(Object.keys(valuesOf(`${keys}\nlast: |\n  x\n`)[0] ?? {})).toHaveLength(100_001);
  });

  test('what YAML 1.1 reads differently is warned about, where it is not quoted', () => {
    const { problems, lines } = parseYaml('a: on\nb: "on"\nc:\n  - 010\n  - |\n    yes\n  - yes\nd: 12:30\n');
    expect(problems.map(({ code, severity, offset }) => [code, severity, lines.position(offset).line])).toEqual([
      ['W_AMBIGUOUS_SCALAR', 'warning', 1],
      ['W_AMBIGUOUS_SCALAR', 'warning', 4],
      ['W_AMBIGUOUS_SCALAR', 'warning', 7],
      ['W_AMBIGUOUS_SCALAR', 'warning', 8],
    ]);
  });
});
