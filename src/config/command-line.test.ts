import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitCommand } from './command-line.ts';

describe('words', () => {
  test.each([
    ['node reviews.js', ['node', 'reviews.js']],
    ['  node\treviews.js  ', ['node', 'reviews.js']],
    ["node 'my reviews.js'", ['node', 'my reviews.js']],
    ['node "my reviews.js"', ['node', 'my reviews.js']],
    ['node --name="a b"c', ['node', '--name=a bc']],
    ["node ''", ['node', '']],
    ['node -e "say(\\"hi\\")"', ['node', '-e', 'say("hi")']],
    ["node -e 'a | b > c; $x'", ['node', '-e', 'a | b > c; $x']],
    ['python3 -m http.server ${PORT}', ['python3', '-m', 'http.server', '${PORT}']],
    ['serve "--port=${PORT}"', ['serve', '--port=${PORT}']],
    ["echo '${PORT}'", ['echo', '$${PORT}']],
    ['echo "\\${PORT}"', ['echo', '$${PORT}']],
  ])('%s', (text, words) => {
    expect(splitCommand(text)).toEqual({ words });
  });

  test('a word in quotes is that word, whatever is in it', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: 'binary-ascii' }).filter((word) => !word.includes("'") && !word.includes('${')),
          { minLength: 1 },
        ),
        (words) => {
          expect(splitCommand(words.map((word) => `'${word}'`).join(' '))).toEqual({ words });
        },
      ),
    );
  });
});

describe('what needs a shell is refused', () => {
  test.each([
    'a | b',
    'a && b',
    'a; b',
    'a > b',
    'a < b',
    'a &',
    'a $(b)',
    'a `b`',
    'a $B',
    'a "$B"',
    'a *.js',
    'a ~/b',
    'a {b,c}',
    'a \\ b',
    'a\nb',
    'a # b',
  ])('%j', (text) => {
    expect(splitCommand(text)).toHaveProperty('problem', expect.stringContaining('needs a shell'));
  });

  test.each(["a 'b", 'a "b', '', '   '])('%j is no command', (text) => {
    expect(splitCommand(text)).toHaveProperty('problem');
  });
});
