/**
 * The Host of a mirrored request: `-shadow` before the port, so that whoever gets the copy can tell it from the request (Envoy's
 * shadow_writer_impl.cc). An IPv6 literal stays as it is: with a suffix it would be no host.
 */
export function shadowHost(authority: string): string {
  if (authority.startsWith('[')) return authority;
  const colon = authority.indexOf(':');
  return colon === -1 ? `${authority}-shadow` : `${authority.slice(0, colon)}-shadow${authority.slice(colon)}`;
}
