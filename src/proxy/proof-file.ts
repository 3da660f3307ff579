/**
 * A proof of harm on the disk, from the worker that has found it: the control plane may be busy for seconds, or be killed, before it has made the
 * rollback durable. One small file a release, beside the state; the control plane acts on it at the next start and removes it afterwards.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { FoundProof } from './guard-keeper.ts';

const SUFFIX = '.json';

/** Resolves when it is durable. */
export async function writeProof(directory: string, proof: FoundProof): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = fileOf(directory, proof.guard);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify(proof));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

/** Those that can be read; what a crash has left half-written proves nothing. */
export function readProofs(directory: string): readonly FoundProof[] {
  return filesIn(directory)
    .filter((name) => name.endsWith(SUFFIX))
    .flatMap((name) => {
      try {
        const found: unknown = JSON.parse(readFileSync(join(directory, name), 'utf8'));
        return isProof(found) ? [found] : [];
      } catch {
        return [];
      }
    });
}

/** A file that cannot be removed proves something about a run that is over, which nobody asks about any more. */
export function removeProof(directory: string, guard: string): void {
  try {
    rmSync(fileOf(directory, guard), { force: true });
  } catch {
    // As said.
  }
}

/** None where there is no such directory: nothing has been proved yet. */
function filesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function fileOf(directory: string, guard: string): string {
  // Names may be longer than a file's.
  return join(directory, createHash('sha256').update(guard).digest('hex') + SUFFIX);
}

function isProof(value: unknown): value is FoundProof {
  if (typeof value !== 'object' || value === null) return false;
  const { guard, run, evidence, atMs } = value as Partial<Record<keyof FoundProof, unknown>>;
  return typeof guard === 'string' && typeof run === 'number' && typeof evidence === 'number' && typeof atMs === 'number';
}
