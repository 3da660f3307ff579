/**
 * What a translation for Envoy does not carry over, or what Envoy does in another way: nothing is dropped in silence. The same thing about the same place is said
 * once, however many listeners it is on.
 */
import type { Diagnostic } from '../base/diagnostic.ts';
import type { Code } from '../config/codes.ts';
import type { RouteSource } from '../routing/table.ts';

export type EnvoyCode = Extract<Code, `W_ENVOY_${string}`>;

export class Notes {
  readonly #found = new Map<string, Diagnostic>();

  get diagnostics(): readonly Diagnostic[] {
    return [...this.#found.values()];
  }

  route(source: RouteSource, code: EnvoyCode, message: string, hint?: string): void {
    const { kind, namespace, name, path, file, line } = source;
    this.#add({ file, line, column: line > 0 ? 1 : 0, code, severity: 'warning', kind, namespace, name, path, message }, hint);
  }

  /** @param what  `cluster outbound|9080||reviews.default.svc.cluster.local`, `listener 80`. */
  about(what: string, code: EnvoyCode, message: string, hint?: string): void {
    const nowhere = { file: what, line: 0, column: 0, kind: '', namespace: '', name: '', path: '' };
    this.#add({ ...nowhere, code, severity: 'warning', message }, hint);
  }

  #add(diagnostic: Diagnostic, hint: string | undefined): void {
    const key = [diagnostic.file, diagnostic.line, diagnostic.path, diagnostic.message].join('\n');
    if (!this.#found.has(key)) this.#found.set(key, hint === undefined ? diagnostic : { ...diagnostic, hint });
  }
}
