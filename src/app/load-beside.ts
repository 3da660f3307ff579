/**
 * Files and what was applied over the admin API, read together. The files have the say: at a start nothing that was applied may keep Serin from
 * serving what they say, so what cannot be used with them is left out, with a warning, until it can be used again or is deleted. Once in force it
 * is as good as a file: a change of the files that would make it wrong is refused.
 */
import { type Diagnostic, formatDiagnostic, hasErrors } from '../base/diagnostic.ts';
import { type FilesRead, loadConfiguration, type LoadResult } from '../config/load.ts';
import { identityText, type Manifest, manifestFile } from '../config/manifest.ts';
import { kindText } from '../config/resources.ts';
import type { HostEnv } from '../config/run-host.ts';

export interface LoadedBeside extends Pick<LoadResult, 'snapshot' | 'diagnostics'> {
  /** `identityText` of the manifests that are not used. */
  readonly leftOut: ReadonlySet<string>;
}

export function loadBeside(
  files: FilesRead,
  manifests: readonly Manifest[],
  mayLeaveOut: (manifest: Manifest) => boolean,
  hostEnv: HostEnv,
  nowMs: number,
): LoadedBeside {
  const warnings: Diagnostic[] = [];
  const leftOut = new Set<string>();
  const load = (): LoadResult =>
    loadConfiguration(
      files,
      manifests.filter((manifest) => !leftOut.has(identityText(manifest))),
      hostEnv,
      nowMs,
    );
  let result = load();
  while (hasErrors(result.diagnostics)) {
    const errors = result.diagnostics.filter(({ severity }) => severity === 'error');
    const open = manifests.filter((manifest) => !leftOut.has(identityText(manifest)) && mayLeaveOut(manifest));
    const wrong = open.filter((manifest) => errors.some(({ file }) => file === manifestFile(manifest)));
    // A problem between a file and one of them may be said of the file.
    const dropped = wrong.length > 0 ? wrong : open;
    if (dropped.length === 0) break;
    for (const manifest of dropped) {
      leftOut.add(identityText(manifest));
      warnings.push(leftOutWarning(manifest, errors.find(({ file }) => file === manifestFile(manifest)) ?? errors[0]));
    }
    result = load();
  }
  return { snapshot: result.snapshot, diagnostics: [...result.diagnostics, ...warnings], leftOut };
}

function leftOutWarning(manifest: Manifest, why: Diagnostic | undefined): Diagnostic {
  const { kind, namespace, name } = manifest;
  return {
    file: manifestFile(manifest),
    line: why?.line ?? 0,
    column: why?.column ?? 0,
    code: 'W_API_LEFT_OUT',
    severity: 'warning',
    kind,
    namespace,
    name,
    path: why?.path ?? '',
    message: `${identityText(manifest)}, applied over the admin API, is left out: ${why === undefined ? 'it cannot be used' : formatDiagnostic(why)}`,
    hint: `put right what is wrong, or drop it with serin delete ${kindText(kind)} ${name}${namespace === '' ? '' : ` -n ${namespace}`}`,
  };
}
