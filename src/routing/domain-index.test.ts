import { describe, expect, test } from 'vitest';
import { DomainIndex, splitAuthority } from './domain-index.ts';

function indexOf(domains: readonly string[]): DomainIndex<string> {
  const index = new DomainIndex<string>();
  for (const domain of domains) index.add(domain, domain);
  return index;
}

describe('the Host chooses', () => {
  const index = indexOf([
    '*',
    '*.example.com',
    '*.a.example.com',
    'www.example.com',
    'www.example.com:8443',
    '*-api.example.com',
    '[::1]',
    'bare',
  ]);

  test.each([
    ['www.example.com', 'www.example.com'],
    ['WWW.Example.COM', 'www.example.com'],
    ['www.example.com.', 'www.example.com'],
    ['www.example.com:80', 'www.example.com'],
    ['www.example.com.:80', 'www.example.com'],
    ['www.example.com:8443', 'www.example.com:8443'],
    ['b.example.com', '*.example.com'],
    ['b.c.example.com', '*.example.com'],
    ['b.a.example.com:1234', '*.a.example.com'],
    ['my-api.example.com', '*-api.example.com'],
    ['example.com', '*'],
    ['.example.com', '*'],
    ['[::1]', '[::1]'],
    ['[::1]:80', '[::1]'],
    ['bare:9080', 'bare'],
    ['unknown', '*'],
    ['', '*'],
  ])('%s is %s', (authority, domain) => {
    expect(index.find(authority)).toBe(domain);
    // A second time from the cache.
    expect(index.find(authority)).toBe(domain);
  });

  test('nothing, where nothing fits and there is no *', () => {
    const narrow = indexOf(['a', '*.b']);
    expect(narrow.find('c')).toBeUndefined();
    expect(narrow.find('c')).toBeUndefined();
    expect(narrow.find('b')).toBeUndefined();
    expect(narrow.find('')).toBeUndefined();
  });

  test('the same however many other names were asked before', () => {
    for (let i = 0; i < 5000; i++) expect(index.find(`host-${i}.example.com`)).toBe('*.example.com');
    expect(index.find('www.example.com')).toBe('www.example.com');
  });
});

test.each([
  ['a', 'a', ''],
  ['a:80', 'a', '80'],
  ['a:', 'a', ''],
  ['[::1]', '[::1]', ''],
  ['[::1]:80', '[::1]', '80'],
  ['', '', ''],
])('authority %j is host %j and port %j', (authority, host, port) => {
  expect(splitAuthority(authority)).toEqual({ host, port });
});
