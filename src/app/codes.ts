/**
 * Codes of what the running program can say beyond configuration (`config/codes.ts`): by compiling, listening, its state and its API. Stable, as those
 * are; docs/errors.md is made of both.
 */
export const PROGRAM_CODES = {
  // compiling
  W_HEADER_OPERATOR: 'a % operator in a header value has no value in Serin and gives nothing',
  W_SHORT_NAME: 'services in several namespaces share a short name, and only one can have it',
  W_BIND_CONFLICT: 'Gateways on one port ask for different bind addresses',
  W_REDIRECT_CODE: 'a redirect code has no effect; requests are answered with 500',
  // listening
  E_LISTEN_EADDRINUSE: 'an address is taken by another program',
  E_LISTEN_EACCES: 'an address needs rights the program does not have; give the port another address with --listen',
  E_LISTEN_EADDRNOTAVAIL: 'an address is none of this machine',
  E_LISTEN_CONFLICT: 'two listeners are to be bound to one address',
  E_ADMIN_EXPOSED: 'the admin API would be reachable beyond this machine',
  // state
  E_STATE_LOCKED: 'another Serin uses the state directory',
  E_STATE_DIRECTORY: 'the state directory cannot be made or used',
  E_STATE_FILE: 'a file of the state directory is not a plain file',
  E_STATE_INVALID: 'a part of the state has a shape this version does not know; it is not used',
  E_STATE_FULL: 'there is no space for the state; nothing was changed',
  E_STATE_READ_ONLY: 'the state cannot be written; nothing was changed',
  E_STATE_IO: 'the state could not be written; nothing was changed',
  E_STATE_WRITE: 'the change could not be made durable; nothing was changed',
  W_STATE_RECOVERED: 'the state was damaged and its last good copy is in use',
  W_STATE_LOST: 'the state was damaged and no copy was usable; it begins empty, and the damaged file is kept',
  W_STATE_READ_ONLY: 'the state is of a newer version, and is only read',
  W_STATE_LEFTOVER: 'a temporary file of an interrupted write was removed',
  W_STATE_BACKUP: 'the copy of the state could not be made',
  // admin API
  E_ADMIN_HOST: 'the Host of a request to the admin API is none of its names',
  E_ADMIN_CROSS_SITE: 'another site asked a browser for this request',
  E_ADMIN_UNAUTHORIZED: 'the token is missing or wrong',
  E_ADMIN_PATH: 'there is nothing at the path',
  E_ADMIN_METHOD: 'the path does not take the method',
  E_ADMIN_CONTENT_TYPE: 'a body is not application/json',
  E_ADMIN_BODY_TOO_LARGE: 'a body is larger than 8 MiB',
  E_ADMIN_BUSY: 'too many changes are waiting already',
  E_JSON_SYNTAX: 'a body is not valid JSON',
  E_JSON_DEPTH: 'a body is nested too deep',
  E_JSON_DUPLICATE_KEY: 'a key stands twice in one object',
  E_JSON_RESERVED_KEY: 'a key is __proto__, constructor or prototype',
  E_REQUEST_INVALID: 'a request has the wrong shape',
  E_SHIFT_INVALID: 'a shift names no subset or has no weights that can be used',
  E_NOT_FOUND: 'there is no such thing',
  // releases
  E_CONFLICT: 'the release is in a state that does not allow it; the answer names the state',
  E_BLOCKED: 'something else moves the host',
  E_FROZEN: 'a freeze window forbids it now',
  E_TARGET_UNHEALTHY: 'the version has no healthy endpoint to send requests to',
  E_STALE: 'the release has changed since it was read (If-Match)',
  E_NOT_READY: 'not every listener is bound, or no configuration is in force',
  E_PROC_NOT_READY: 'a version that is new in the files did not become ready; the last good configuration stays',
  E_SHUTTING_DOWN: 'the program is about to end',
  E_APPLY: 'the data plane did not take the change; what was in force stays',
  E_INTERNAL: 'a mistake in Serin; see its log',
} as const;
