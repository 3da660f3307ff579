/** What a resource says, as text: to compare it and to hash it. Where it stands in files is no part of that. */
import type { AnyResource } from './resources.ts';

const TEXTS = new WeakMap<AnyResource, string>();

/** JSON, made once: a resource is never changed, and of ten thousand most are asked again at the next reload. */
export function resourceText(resource: AnyResource): string {
  let text = TEXTS.get(resource);
  if (text === undefined) {
    const { apiVersion, kind, metadata, spec } = resource;
    text = JSON.stringify([apiVersion, kind, metadata, spec]);
    TEXTS.set(resource, text);
  }
  return text;
}
