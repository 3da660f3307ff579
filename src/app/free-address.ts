/**
 * Whether an address is really free, for data planes whose workers share their ports.
 *
 * SO_REUSEPORT lets any process of the same user bind a port that is bound that way already, without an error, and the kernel then deals
 * connections to both: a second Serin would quietly take half of the first one's traffic. A socket without the option cannot be bound there, so
 * one is bound and closed first. (Between that and the workers' own binding is a gap of microseconds; it is there for slips, not for attacks.)
 */
import { createServer } from 'node:net';
import { type Binding, type BoundListener, ListenError } from '../proxy/options.ts';
import { formatAddress } from './listen.ts';

/** @param own Addresses this process has bound itself. @throws ListenError for the first address that somebody else has */
export async function requireFree(bindings: readonly Binding[], own: readonly BoundListener[]): Promise<void> {
  const ours = new Set(own.map(formatAddress));
  for (const binding of bindings) if (binding.port !== 0 && !ours.has(formatAddress(binding))) await bindAndClose(binding);
}

function bindAndClose(binding: Binding): Promise<void> {
  const { listener, host, port } = binding;
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ListenError(`E_LISTEN_${error.code ?? 'UNKNOWN'}`, listener, formatAddress(binding))),
    );
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}
