/** Contexts as they stand in headers: what is one, what is none, and what is passed on. */
import { describe, expect, test } from 'vitest';
import { isTracestate, parseB3, parseB3Fields, parseTraceparent, traceLines } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('traceparent', () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`01-${TRACE}-${SPAN}-01-what-comes-later`, true],
  ])('%s', (value, isSampled) => {
    expect(parseTraceparent(value)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled });
  });

  test.each([
    '',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}-${SPAN}-0x`,
    `00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
  ])('%j is none', (value) => {
    expect(parseTraceparent(value)).toBeUndefined();
  });
});

describe('B3', () => {
  test.each([
    [`${TRACE}-${SPAN}-1`, TRACE, true],
    [`${TRACE}-${SPAN}-d`, TRACE, true],
    [`${TRACE}-${SPAN}-0-${SPAN}`, TRACE, false],
    [`${TRACE}-${SPAN}`, TRACE, undefined],
    [`${SPAN}-${SPAN}-1`, `${'0'.repeat(16)}${SPAN}`, true],
    [`${TRACE.toUpperCase()}-${SPAN}-1`, TRACE, true],
  ])('%s', (value, traceId, isSampled) => {
    expect(parseB3(value)).toEqual({ traceId, spanId: SPAN, isSampled });
  });

  test.each(['0', '1', 'd', `${TRACE}-${SPAN}-2`, `${'0'.repeat(32)}-${SPAN}-1`, TRACE, `${TRACE}-${SPAN}-1-x`])('%j is none', (value) => {
    expect(parseB3(value)).toBeUndefined();
  });

  test.each<readonly [Record<string, string>, boolean | undefined]>([
    [{}, undefined],
    [{ 'x-b3-sampled': '1' }, true],
    [{ 'x-b3-sampled': 'true' }, true],
    [{ 'x-b3-sampled': '0' }, false],
    [{ 'x-b3-flags': '1', 'x-b3-sampled': '0' }, true],
  ])('in several headers: %j', (more, isSampled) => {
    const fields: Readonly<Record<string, string>> = { 'x-b3-traceid': TRACE, 'x-b3-spanid': SPAN, ...more };
    expect(parseB3Fields((name) => fields[name])).toEqual({ traceId: TRACE, spanId: SPAN, isSampled });
  });

  test('in several headers, one of which is wrong', () => {
    expect(parseB3Fields((name) => ({ 'x-b3-traceid': TRACE, 'x-b3-spanid': 'x' })[name])).toBeUndefined();
    expect(parseB3Fields((name) => ({ 'x-b3-traceid': TRACE })[name])).toBeUndefined();
  });
});

test.each([
  ['rojo=00f067aa0ba902b7', true],
  ['congo=t61rcWkgMzE, rojo=1', true],
  ['a=1,,b=2', true],
  ['tenant@vendor=x', true],
  ['a', false],
  ['A=1', false],
  ['a=\x01', false],
  [Array.from({ length: 33 }, (_, index) => `a${index}=1`).join(','), false],
])('tracestate %j: %j', (value, isOne) => {
  expect(isTracestate(value)).toBe(isOne);
});

test('what the next one is told, in the words the client used', () => {
  const w3c = `traceparent: 00-${TRACE}-${SPAN}-01\r\n`;
  expect(traceLines(TRACE, SPAN, true, 'w3c')).toBe(w3c);
  expect(traceLines(TRACE, SPAN, false, 'b3')).toBe(`${w3c.replace('-01', '-00')}b3: ${TRACE}-${SPAN}-0\r\n`);
  expect(traceLines(TRACE, SPAN, true, 'x-b3')).toBe(`${w3c}x-b3-traceid: ${TRACE}\r\nx-b3-spanid: ${SPAN}\r\nx-b3-sampled: 1\r\n`);
});
