/**
 * An accepted connection that reads into buffers of our choice.
 *
 * `net.connect` takes `onread`; `net.createServer` does not, and gives every read an ArrayBuffer of its own: an upload then costs twice the CPU, a
 * fifth of it the garbage collector's. So the server leaves accepted sockets unread (`pauseOnConnect`) and a second Socket takes over the handle,
 * which the constructor accepts (it is how Node itself makes accepted sockets) though its documentation leaves it out.
 */
import { Socket } from 'node:net';
import type { OnReadOpts, SocketConstructorOpts } from 'node:net';

interface WithHandle {
  _handle: unknown;
}

/**
 * @param accepted  From a server with `pauseOnConnect`; not to be used afterwards.
 * @returns         The connection; reading has begun.
 */
export function takeOver(accepted: Socket, onread: OnReadOpts): Socket {
  const source = accepted as unknown as WithHandle;
  const handle = source._handle;
  if (typeof handle !== 'object' || handle === null) throw new Error('broken invariant: an accepted socket has a handle');
  source._handle = null;
  return new Socket({ handle, onread, allowHalfOpen: true } as SocketConstructorOpts);
}
