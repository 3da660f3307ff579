/** What was applied over the admin API as a document of the durable state (state.ts): text in, checked value out. */
import { z } from 'zod';
import type { Manifest } from '../config/manifest.ts';
import type { Change } from './audit-table.ts';
import type { State } from './state.ts';

const DOCUMENT = 'resources';

const StoredManifests = z.strictObject({
  manifests: z.array(
    z.strictObject({ kind: z.string(), namespace: z.string(), name: z.string(), text: z.string(), by: z.string(), at: z.string() }),
  ),
});

/** @returns What is stored, or nothing and why it cannot be used. */
export function readManifests(state: State): { readonly manifests: readonly Manifest[]; readonly problem?: string } {
  const text = state.get(DOCUMENT);
  if (text === undefined) return { manifests: [] };
  try {
    return StoredManifests.parse(JSON.parse(text));
  } catch (error) {
    const problem = `the stored resources cannot be used (${error instanceof Error ? error.message : String(error)}); Serin starts without what \`serin apply\` had applied`;
    return { manifests: [], problem };
  }
}

/** Returns when the manifests are durable. @throws StateWriteError */
export function writeManifests(state: State, manifests: readonly Manifest[], changes: readonly Change[]): void {
  state.putAll(new Map([[DOCUMENT, JSON.stringify({ manifests })]]), changes);
}
