import { describe, expect, test } from 'vitest';
import { formatHeaderValue, headerValueText, parseHeaderValue } from './header-value.ts';
import type { ValueSource } from './header-value.ts';

const REQUEST: Readonly<Record<string, string>> = { ':path': '/a?b=c', ':authority': 'reviews', 'x-user': 'jason', 'x-empty': '' };
const PROPERTIES: Readonly<Record<string, string | number>> = {
  PROTOCOL: 'HTTP/1.1',
  HOSTNAME: 'box',
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: '192.0.2.1',
  RESPONSE_CODE: 503,
};

const SOURCE: ValueSource = {
  requestHeader: (name) => REQUEST[name],
  responseHeader: (name) => (name === 'server' ? 'nginx' : undefined),
  queryParameter: (name) => (name === 'b' ? 'c' : undefined),
  property: (command) => PROPERTIES[command],
  startTimeMs: Date.UTC(2026, 0, 5, 3, 4, 5, 6),
};

function format(text: string): string {
  return formatHeaderValue(parseHeaderValue(text).value, SOURCE);
}

describe('a header value', () => {
  test.each([
    ['plain', 'plain'],
    ['', ''],
    ['100%%', '100%'],
    ['%%REQ(x-user)%%', '%REQ(x-user)%'],
    ['%REQ(:path)%', '/a?b=c'],
    ['%REQ(X-User)%', 'jason'],
    ['user %REQ(x-user)% of %REQ(:AUTHORITY)%', 'user jason of reviews'],
    ['%REQ(x-none?x-user)%', 'jason'],
    ['%REQ(x-empty?x-user)%', ''],
    ['%REQ(x-user):3%', 'jas'],
    ['%REQ(x-none)%', ''],
    ['a%REQ(x-none)%b', 'ab'],
    ['%RESP(server)%', 'nginx'],
    ['%PROTOCOL%', 'HTTP/1.1'],
    ['%HOSTNAME%', 'box'],
    ['%QUERY_PARAM(b)%', 'c'],
    ['%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%', '192.0.2.1'],
    ['%RESPONSE_CODE%', '503'],
    ['%UPSTREAM_HOST%', ''],
    ['%START_TIME%', '2026-01-05T03:04:05.006Z'],
    ['%START_TIME(%s.%3f)%', '1767582245.006'],
    ['%START_TIME(%Y/%m/%dT%H:%M:%S%z)%', '2026/01/05T03:04:05+0000'],
    ['%START_TIME(%a %b %e %j %6f)%', 'Mon Jan  5 005 006000'],
  ])('%s gives %j', (text, expected) => {
    expect(format(text)).toBe(expected);
  });

  test.each([
    ['%REQ(x)%', []],
    ['%START_TIME(%s)%', []],
    ['%CEL(request.path)% %FOO%', ['CEL(request.path)', 'FOO']],
    ['%REQ%', ['REQ']],
    ['%PROTOCOL(x)%', ['PROTOCOL(x)']],
  ])('%s names what it has no value for: %j', (text, unsupported) => {
    expect(parseHeaderValue(text).unsupported).toEqual(unsupported);
  });

  test('an operator without a value gives nothing', () => {
    expect(format('%CEL(request.path)%')).toBe('');
  });

  test.each(['plain 100%%', '%REQ(a?b):10%', '%START_TIME(%s.%3f)% x', '%PROTOCOL%'])('%s prints as it was written', (text) => {
    expect(headerValueText(parseHeaderValue(text).value)).toBe(text);
  });
});
