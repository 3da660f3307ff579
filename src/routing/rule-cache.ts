import type { VirtualService } from '../config/resources.ts';
import type { Compilation } from './compilation.ts';
import { compileRule } from './compile-rule.ts';
import type { Scope } from './scope.ts';
import type { Route } from './table.ts';

/** Rules of a VirtualService by scope: its hosts share one compiled list per listener and port. */
export class RuleCache {
  readonly #compilation: Compilation;
  readonly #lists = new Map<VirtualService, Map<string, readonly Route[]>>();

  constructor(compilation: Compilation) {
    this.#compilation = compilation;
  }

  rules(virtualService: VirtualService, scope: Scope): readonly Route[] {
    let byScope = this.#lists.get(virtualService);
    if (byScope === undefined) {
      byScope = new Map();
      this.#lists.set(virtualService, byScope);
    }
    const key = `${scope.callers ?? ''} ${scope.port} ${[...scope.gateways].sort().join(' ')}`;
    let routes = byScope.get(key);
    if (routes === undefined) {
      const rules = virtualService.spec.http ?? [];
      routes = rules.map((rule, index) => compileRule(this.#compilation, virtualService, index, rule, scope));
      byScope.set(key, routes);
    }
    return routes;
  }
}
