/** Which page: the part of the address behind `#`, so that one file serves them all. */
import { signal } from '@preact/signals';

/** `#/releases/default/reviews` is `['releases', 'default', 'reviews']`. */
export const route = signal<readonly string[]>(current());

addEventListener('hashchange', () => {
  route.value = current();
  scrollTo(0, 0);
});

function current(): readonly string[] {
  const path = location.hash.startsWith('#/') ? location.hash.slice(2) : '';
  return path.split('/').flatMap((part) => (part === '' ? [] : [decoded(part)]));
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function href(...parts: readonly string[]): string {
  return `#/${parts.map(encodeURIComponent).join('/')}`;
}
