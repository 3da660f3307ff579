/** Requests over the words of the samples. */
import type { Random } from '../../src/base/random.ts';
import type { RequestView } from '../../src/routing/request-view.ts';
import { chance, pick } from './istio-samples.ts';

export interface Asked {
  readonly text: string;
  readonly listener: string;
  readonly view: RequestView;
}

const PATHS = [
  '/',
  '/a',
  '/a/',
  '/a/b',
  '/a/b/c',
  '/ab',
  '/abc',
  '/A',
  '/A/b',
  '/a//b',
  '/a//bx',
  '/c',
  '/a/xb',
  '/svc/M',
  '/svc/N',
  '/other/M',
  '/p',
  '/p/q',
  '/px',
];

export function request(random: Random): Asked {
  const listener = pick(random, ['80', 'mesh']);
  const headers = new Map<string, string>();
  for (const name of ['h1', 'h2']) if (chance(random, 0.5)) headers.set(name, pick(random, ['x', 'xx', 'y', '']));
  const view: RequestView = {
    method: pick(random, ['GET', 'POST', 'PUT']),
    scheme: 'http',
    authority:
      listener === 'mesh'
        ? pick(random, ['shop', 'shop:9080'])
        : pick(random, ['shop', 'shop.example', 'shop.example:8080', 'a.shop.example']),
    path: pick(random, PATHS),
    query: pick(random, ['', '', 'q=x', 'q=xy', 'q=', 'p=1']),
    header: (name) => headers.get(name),
  };
  const text = `${view.method} ${view.scheme}://${view.authority}${view.path}${view.query === '' ? '' : `?${view.query}`} @${listener} ${JSON.stringify([...headers])}`;
  return { text, listener, view };
}
