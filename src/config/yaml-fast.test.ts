/**
 * The accelerator against the `yaml` package: whatever it accepts must be exactly what the package says, including where it stands. Documents are
 * made from pieces that YAML is touchy about, not from valid YAML only.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAlias, isMap, isScalar, isSeq, parseAllDocuments } from 'yaml';
import { parseFast, resolvePlain } from './yaml-fast.ts';
import { toPlain, type YamlNode, type YamlScalar } from './yaml-node.ts';

type Marked = { readonly at: number; readonly value: unknown };

/** Values with the offset of each scalar that has text. */
function marksOf(node: YamlNode): Marked | readonly Marked[] | Readonly<Record<string, unknown>> {
  if (node.type === 'scalar') return { at: node.value === null ? -1 : node.offset, value: node.value };
  if (node.type === 'seq') return { at: 0, value: node.items.map(marksOf) };
  return { at: 0, value: [...node.entries].map(([key, { keyOffset, value }]) => [key, keyOffset, marksOf(value)]) };
}

function marksOfPackage(node: unknown): Marked {
  if (isAlias(node)) throw new Error('an alias is never plain');
  if (isScalar(node)) return { at: node.value === null ? -1 : (node.range?.[0] ?? -1), value: node.value };
  if (isSeq(node)) return { at: 0, value: node.items.map(marksOfPackage) };
  if (isMap(node)) {
    const entries = node.items.map(({ key, value }) => {
      const text = isScalar(key) ? (typeof key.value === 'string' ? key.value : (key.source ?? '')) : '?';
      return [text, isScalar(key) ? key.range?.[0] : -1, marksOfPackage(value)];
    });
    return { at: 0, value: entries };
  }
  return { at: -1, value: null };
}

/** Throws when the accelerator accepts what the package refuses, or reads it differently. */
function compare(text: string): 'accepted' | 'left' {
  const fast = parseFast(text, 0, []);
  if (fast === undefined) return 'left';
  const documents = parseAllDocuments(text, { schema: 'core', uniqueKeys: true, prettyErrors: false });
  const [document] = documents;
  expect({ text, documents: documents.length, errors: document?.errors.map((error) => error.message) }).toEqual({
    text,
    documents: 1,
    errors: [],
  });
  expect({ text, tree: marksOf(fast) }).toEqual({ text, tree: marksOfPackage(document?.contents) });
  return 'accepted';
}

const scalar = fc.constantFrom(
  'a', 'a b', '1', '-1', '010', '1.5', '1e3', '0x1F', '0o17', '.5', '5.', '-.inf', '.nan', 'true', 'null', '~', 'on', '"q"', "'s'", '"a: b"', "'it''s'", '"\\n"', '""', "''",
  '/path', '/a:b', 'a:b', 'a: b', 'a #c', 'a#c', '#c', '*', '&a', '!x', '|', '>', '@a', '%a', '`a', '-', '- a', '-a', '--', '?', '? a', '?a', ':', ':a', ',', '[', ']', '{', '}',
  '[]', '{}', '[a, b]', '[a,b]', '[ a , "b" ]', '{a: b}', '{ a: b, c: [d] }', '{a}', '{a: }', '[a: b]', '[a,]', '{a: b,}', '[a]x', '[[a], {b: c}]', '[-1, - 1]', '{"a": 1}', '{"a":1}',
  "{'a': 1}", '[a #c', '2001:db8::1', 'http://h:80/x', '1.2.3.4', 'é', '漢字', 'a\u2028b', 'a\tb', '', '  ', '"open', "'open", '"a" b', 'y', '<<', '---', '...', '=',
); // prettier-ignore
const key = fc.constantFrom(
  'a',
  'b',
  'c-d',
  'e.f/g',
  '"q"',
  "'s'",
  '"a b"',
  '1',
  'true',
  'null',
  '<<',
  '*',
  '-',
  '?',
  ':a',
  'a b',
  '__proto__',
  'x:y',
  '"*"',
  '""',
);
const indent = fc.constantFrom(0, 0, 1, 2, 2, 2, 3, 4, 4, 6);
const line = fc
  .tuple(
    indent,
    fc.constantFrom('', '- ', '- ', '-', '-   ', '- - '),
    fc.option(key),
    fc.constantFrom(': ', ': ', ': ', ':', ':  '),
    scalar,
    fc.constantFrom('', '', '', ' # c', ' ', '#c'),
  )
  .map(([spaces, dash, name, colon, value, end]) => `${' '.repeat(spaces)}${dash}${name === null ? '' : name + colon}${value}${end}`);
const block = fc
  .array(fc.oneof({ weight: 12, arbitrary: line }, fc.constantFrom('', '   ', '# c', '  # c')), { minLength: 1, maxLength: 8 })
  .map((lines) => `${lines.join('\n')}\n`);

describe('parseFast', () => {
  test('reads arbitrary lines as the package does, or leaves them to it', () => {
    let accepted = 0;
    fc.assert(
      fc.property(block, (text) => {
        if (compare(text) === 'accepted') accepted++;
      }),
      { numRuns: 20_000 },
    );
    // Else the comparison would say nothing.
    expect(accepted).toBeGreaterThan(300);
  });

  test('reads generated values, written as block YAML, and does not leave them to the package', () => {
    const word = fc.constantFrom('a', 'b', 'reviews', '/x', '1', 'true', 'v-1', '*.example.com', '');
    const { tree } = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
      leaf: word,
      tree: fc.oneof(
        { maxDepth: 4 },
        tie('leaf'),
        fc.array(tie('tree'), { minLength: 1, maxLength: 3 }),
        fc.dictionary(fc.constantFrom('host', 'port', 'end-user', 'a.b/c'), tie('tree'), { minKeys: 1, maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const text = written(value, 0);
        fc.pre(!text.startsWith('"'));
        const fast = parseFast(text, 0, []);
        expect(fast === undefined ? undefined : toPlain(fast)).toEqual(value);
        compare(text);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['sequence at the column of its key', 'a:\n- 1\n- 2\nb: 3\n', { a: [1, 2], b: 3 }],
    ['compact mapping in a sequence', '- a: 1\n  b:\n    - c: 2\n- d: 3\n', [{ a: 1, b: [{ c: 2 }] }, { d: 3 }]],
    ['nested dashes', '- - 1\n  - 2\n- 3\n', [[1, 2], 3]],
    ['empty value at the end', 'a:\nb:', { a: null, b: null }],
    ['comments', '# x\na: 1 # y\n\n  # z\nb: "#" # w\n', { a: 1, b: '#' }],
    ['flow', 'a: { exact: jason, n: [1, "2", {}] }\n', { a: { exact: 'jason', n: [1, '2', {}] } }],
    ['no line break at the end', 'a: b', { a: 'b' }],
  ])('%s', (_name, text, expected) => {
    const fast = parseFast(text, 0, []);
    expect(fast === undefined ? undefined : toPlain(fast)).toEqual(expected);
    expect(compare(text)).toBe('accepted');
  });

  test.each([
    ['tab', 'a:\n\tb: 1\n'],
    ['duplicate key', 'a: 1\na: 2\n'],
    ['reserved key', '__proto__: 1\n'],
    ['anchor', 'a: &x 1\nb: *x\n'],
    ['block scalar', 'a: |\n  x\n'],
    ['scalar over two lines', 'a: b\n  c\n'],
    ['depth', `${Array.from({ length: 70 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')} 1\n`],
    ['flow depth', `a: ${'['.repeat(70)}${']'.repeat(70)}\n`],
    ['nothing', '# only a comment\n'],
  ])('leaves %s to the package', (_name, text) => {
    expect(parseFast(text, 0, [])).toBeUndefined();
  });

  test('offsets count from where the document stands in its file', () => {
    const node = parseFast('a: b\n', 100, []);
    expect(node?.type === 'map' ? node.entries.get('a') : undefined).toEqual({
      keyOffset: 100,
      value: { type: 'scalar', value: 'b', offset: 103, plain: 'b' },
    });
  });

  test('notes what YAML 1.1 reads differently', () => {
    const found: YamlScalar[] = [];
    parseFast('a: on\nb: "on"\nc: [010, yes, online]\nd: 12:30\ne: 1_000\nf: 10\n', 0, found);
    expect(found.map(({ plain }) => plain)).toEqual(['on', '010', 'yes', '12:30', '1_000']);
  });

  test.each([
    '1',
    '-1',
    '+1',
    '010',
    '0o10',
    '0x1f',
    '0x1F',
    '1.',
    '.5',
    '-.5',
    '1e3',
    '1E-3',
    '+.inf',
    '-.INF',
    '.nan',
    '.NaN',
    '~',
    'null',
    'NULL',
    'nUll',
    'true',
    'TRUE',
    'tRue',
    'False',
    '1_0',
    '1.2.3',
    '+',
    '.',
    '0x',
    '0o8',
    'e3',
    '',
    '1e',
    'inf',
  ])('scalar %j means what the package says', (source) => {
    const [document] = parseAllDocuments(`a: ${source}\n`, { schema: 'core' });
    expect({ value: resolvePlain(source) }).toEqual({ value: document?.toJS().a });
  });
});

function written(value: unknown, column: number): string {
  const pad = ' '.repeat(column);
  if (Array.isArray(value)) return value.map((item) => `${pad}-${child(item, column + 2)}`).join('');
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([name, item]) => `${pad}${name}:${child(item, column + 2)}`)
      .join('');
  }
  return `${JSON.stringify(value)}\n`;
}

function child(value: unknown, column: number): string {
  return typeof value === 'object' && value !== null ? `\n${written(value, column)}` : ` ${JSON.stringify(value)}\n`;
}
