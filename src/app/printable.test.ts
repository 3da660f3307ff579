/** Text of others on a terminal and in logs: nothing in it may act. */
import { describe, expect, test } from 'vitest';
import { createLogger } from './logger.ts';
import { printableJson, printableLine, printableText } from './printable.ts';

describe('printable text', () => {
  test('shows what a terminal would obey', () => {
    expect(printableLine('\u001b[31mred\u001b]0;title\u0007')).toBe('\\x1b[31mred\\x1b]0;title\\x07');
    expect(printableLine('a\nb\r\tc\u0000\u007f\u009b31m')).toBe('a\\nb\\r\\tc\\x00\\x7f\\x9b31m');
    expect(printableLine('user\u202etxt.exe\u2028x')).toBe('user\\u202etxt.exe\\u2028x');
  });

  test('keeps letters of every script, and lines where there may be several', () => {
    expect(printableLine('größe 日本語 🐦')).toBe('größe 日本語 🐦');
    expect(printableText('a\n\tb\r')).toBe('a\n\tb\\r');
  });

  test('JSON stays the same value', () => {
    const value = { 'a\u202e': '\u009b\u001b[0m\u2028', b: ['\n'] };
    const text = printableJson(value);
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/);
    expect(JSON.parse(text)).toEqual(value);
  });
});

describe('the log', () => {
  const lines: string[] = [];
  const destination = { write: (text: string) => lines.push(text) };

  test('a plain line an event, whatever is in it', () => {
    lines.length = 0;
    createLogger(destination).warn({ host: 'a b\n2026 fatal forged', n: 3 }, 'evil\nline \u001b[2J');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z warn {2}evil\\nline \\x1b\[2J  host="a b\\n2026 fatal forged" n=3\n$/);
  });

  test('JSON lines on request', () => {
    lines.length = 0;
    createLogger(destination, 'json').error({ err: new Error('boom') }, 'evil\nline');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'error', msg: 'evil\nline', err: { message: 'boom' } });
  });

  test('a field is cut at 4 KiB', () => {
    lines.length = 0;
    createLogger(destination).info({ long: 'x'.repeat(100_000) }, 'm');
    expect(lines[0]?.length).toBeLessThan(5000);
  });
});
