import { describe, expect, test } from 'vitest';
import { Terminal } from '../../test/helpers/terminal.ts';
import { Redraw } from './redraw.ts';

function drawn(size: { readonly columns: number; readonly rows: number }, ...texts: readonly string[]): string {
  const terminal = new Terminal(size.columns).write('$ serin rollout status -w\n');
  const redraw = new Redraw({ out: (text) => void terminal.write(text), size: () => size });
  for (const [index, text] of texts.entries()) redraw.show(text, index === texts.length - 1);
  return terminal.text;
}

const SIZE = { columns: 20, rows: 6 };
const PROMPT = '$ serin rollout stat\nus -w';

describe('only the last text stands there', () => {
  test.each<[string, readonly string[]]>([
    ['shorter than before', ['one\ntwo\nthree\n', 'end\n']],
    ['longer than before', ['one\n', 'one\ntwo\nend\n']],
    ['lines that wrap', [`${'a'.repeat(50)}\n`, `${'b'.repeat(45)}\nc\n`, 'end\n']],
    ['a line that fills its row', [`${'a'.repeat(20)}\n`, `${'b'.repeat(40)}\n`, 'end\n']],
    ['an empty line', ['a\n\nb\n', 'end\n']],
    ['colours, which take no room', [`\u001b[32m${'a'.repeat(20)}\u001b[39m\n`, 'end\n']],
    ['more than fits on the screen, until the last', ['1\n2\n3\n4\n5\n6\n7\n8\n', 'end\n']],
  ])('%s', (_what, texts) => {
    const wrapped = (texts.at(-1) ?? '').trimEnd();
    expect(drawn(SIZE, ...texts)).toBe(`${PROMPT}\n${wrapped}`);
  });
});

test('what does not fit is left out until the last, which is written in full', () => {
  const long = Array.from({ length: 9 }, (_, line) => `${line}\n`).join('');
  const terminal = new Terminal(20);
  const redraw = new Redraw({ out: (text) => void terminal.write(text), size: () => SIZE });
  redraw.show(long, false);
  expect(terminal.text).toBe('0\n1\n2\n3\n4');
  redraw.show(long, true);
  expect(terminal.text).toBe(long.trimEnd());
});
