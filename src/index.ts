/** `import { createProxy, serve } from 'serin'`: the embedded data plane, and the whole of `serin up`, as a library. */
export { checkFiles, type Checked } from './app/check.ts';
export { serve, type RunningServer, type ServeOptions } from './app/serve.ts';
export { type Diagnostic, formatDiagnostic, hasErrors } from './base/diagnostic.ts';
export { loadFiles, loadText, type LoadResult } from './config/load.ts';
export type { AnyResource } from './config/resources.ts';
export type { Snapshot } from './config/snapshot.ts';
export { type Binding, type BoundListener, ListenError, type ProxyOptions } from './proxy/options.ts';
export { createProxy, type Proxy } from './proxy/proxy.ts';
export { compile, type Compiled, type CompileOptions } from './routing/compile.ts';
export { type Explanation, explain } from './routing/explain.ts';
export { formatExplanation } from './routing/format-explanation.ts';
export type { RequestView } from './routing/request-view.ts';
export type { RoutingTable } from './routing/table.ts';
