/** What of a request decides its endpoint, where a cluster chooses by hash; and the cookie that is set where there is none yet. */
import { randomUUID } from 'node:crypto';
import { cookieValue } from '../http/cookie.ts';
import { hashOf } from '../routing/consistent-hash.ts';
import { firstQueryValue } from '../routing/query-value.ts';
import type { RequestView } from '../routing/request-view.ts';
import type { HashPolicy } from '../routing/table.ts';

export interface HashKey {
  /** Undefined where the request has no key: then it goes where the load balancer says. */
  readonly hash: number | undefined;
  /** A line for the answer, or nothing. */
  readonly setCookie: string;
}

const NO_KEY: HashKey = { hash: undefined, setCookie: '' };

export function hashKey({ key }: HashPolicy, request: RequestView, peerAddress: string): HashKey {
  switch (key.kind) {
    case 'header':
      return keyed(request.header(key.name));
    case 'queryParam':
      return keyed(firstQueryValue(request.query, key.name));
    case 'sourceAddress':
      return keyed(peerAddress);
    case 'cookie': {
      const known = cookieValue(request.header('cookie') ?? '', key.name);
      if (known !== undefined && known !== '') return keyed(known);
      if (key.setAttributes === undefined) return NO_KEY;
      const value = randomUUID();
      return { hash: hashOf(value), setCookie: `set-cookie: ${key.name}=${value}${key.setAttributes}\r\n` };
    }
  }
}

function keyed(value: string | undefined): HashKey {
  return value === undefined ? NO_KEY : { hash: hashOf(value), setCookie: '' };
}
