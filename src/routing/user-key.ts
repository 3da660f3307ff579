/** By what a release knows users: the first of its keys that a request has. */
import type { ReleaseAssignment, ReleaseKey } from '../config/release.ts';
import { cookieValue } from '../http/cookie.ts';

/** @param sourceAddress Undefined where it is not known, as when a request is only explained. */
export function userKey(
  { keys }: ReleaseAssignment,
  request: { header(name: string): string | undefined },
  sourceAddress: string | undefined,
): { readonly key: ReleaseKey; readonly value: string } | undefined {
  for (const key of keys) {
    const value = valueOf(key, request, sourceAddress);
    if (value !== undefined) return { key, value };
  }
  return undefined;
}

/** Empty is as good as missing: it names nobody. */
function valueOf(
  key: ReleaseKey,
  request: { header(name: string): string | undefined },
  sourceAddress: string | undefined,
): string | undefined {
  switch (key.kind) {
    case 'header':
      return request.header(key.name) || undefined;
    case 'cookie':
      return cookieValue(request.header('cookie') ?? '', key.name) || undefined;
    case 'sourceAddress':
      return sourceAddress;
  }
}
