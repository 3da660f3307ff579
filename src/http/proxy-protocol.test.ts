import { expect, test } from 'vitest';
import { type ProxiedAddresses, proxyHeader } from './proxy-protocol.ts';

const V4 = { source: { address: '192.0.2.7', port: 40_000 }, destination: { address: '127.0.0.1', port: 80 } };
const V6 = { source: { address: '2001:db8::1', port: 40_000 }, destination: { address: 'fe80::1:2%eth0', port: 65_535 } };

test('version 1 is a line', () => {
  expect(proxyHeader('V1', V4).toString()).toBe('PROXY TCP4 192.0.2.7 127.0.0.1 40000 80\r\n');
  expect(proxyHeader('V1', V6).toString()).toBe('PROXY TCP6 2001:db8::1 fe80::1:2 40000 65535\r\n');
});

test('version 2 is its bytes', () => {
  expect(hexOf(V4)).toBe(hex('0d0a0d0a 000d0a51 5549540a 2111000c c0000207 7f000001 9c40 0050'));
  expect(hexOf(V6)).toBe(
    hex('0d0a0d0a 000d0a51 5549540a 21210024 20010db8 00000000 00000000 00000001 fe800000 00000000 00000000 00010002 9c40 ffff'),
  );
  const mapped = { source: { address: '::1', port: 1 }, destination: { address: '::ffff:1.2.3.4', port: 2 } };
  expect(hexOf(mapped)).toContain(hex('00000000 00000000 00000000 00000001 00000000 00000000 0000ffff 01020304 0001 0002'));
});

function hexOf(addresses: ProxiedAddresses): string {
  return proxyHeader('V2', addresses).toString('hex');
}

function hex(groups: string): string {
  return groups.replaceAll(' ', '');
}

test('a connection of the proxy itself, and one of mixed addresses, says nothing of a client', () => {
  const mixed = { source: V4.source, destination: V6.destination };
  for (const addresses of [undefined, mixed]) {
    expect(proxyHeader('V1', addresses).toString()).toBe('PROXY UNKNOWN\r\n');
    expect(proxyHeader('V2', addresses).toString('hex')).toBe('0d0a0d0a000d0a515549540a20000000');
  }
});
