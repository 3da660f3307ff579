/** Whether an address, or the name in a Host header, is this machine and nothing else: `localhost`, 127.0.0.0/8, `::1`, `[::1]`. */
import { isIPv4 } from 'node:net';

export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === 'localhost' || name === '::1' || name === '[::1]' || (isIPv4(name) && name.startsWith('127.'));
}
