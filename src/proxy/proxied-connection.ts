/** A client's connection as upstreams are told of it that ask for the PROXY protocol. Their connections serve this one, and no other. */
import type { Socket } from 'node:net';
import { proxyHeader, type ProxyProtocolVersion } from '../http/proxy-protocol.ts';
import { plainAddress } from '../routing/tcp-match.ts';

/** Compared by identity. */
export interface ProxiedConnection {
  readonly peerAddress: string;
  readonly socket: Socket;
}

/** @param client  Undefined where the connection is for nobody's request: a copy for a mirror. */
export function headerFor(version: ProxyProtocolVersion, client: ProxiedConnection | undefined): Buffer {
  const { remotePort, localAddress, localPort } = client?.socket ?? {};
  // Gone meanwhile: so is its request, or about to be.
  if (client === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined)
    return proxyHeader(version, undefined);
  return proxyHeader(version, {
    source: { address: client.peerAddress, port: remotePort },
    destination: { address: plainAddress(localAddress), port: localPort },
  });
}

/** @returns What takes it back. */
export function whenGone({ socket }: ProxiedConnection, act: () => void): () => void {
  // One for each upstream connection of the client's.
  socket.setMaxListeners(0);
  socket.once('close', act);
  return () => socket.off('close', act);
}
