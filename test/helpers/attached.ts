/** What `attach` says of the resources of a YAML text, in a form that is short enough for tables. */
import type { Diagnostic } from '../../src/base/diagnostic.ts';
import { SERIN_GATEWAY_CLASS } from '../../src/config/gateway-api/types.ts';
import { loadText } from '../../src/config/load.ts';
import { startCompilation } from '../../src/routing/compilation.ts';
import { attach } from '../../src/routing/gateway-api/attach.ts';
import type { Attachments } from '../../src/routing/gateway-api/model.ts';
import type { Condition, ListenerStatus } from '../../src/routing/gateway-api/status.ts';

/** `{ Accepted: 'True Accepted' }`; for listeners `attached` and `kinds` as well. */
export type Said = Readonly<Record<string, string>>;

export interface Attached {
  readonly attachments: Attachments;
  readonly diagnostics: readonly Diagnostic[];
  /** By `Gateway default/shop`, `Gateway default/shop http` (a listener), `HTTPRoute default/books 0` (a parentRef), `BackendTLSPolicy default/tls 0` (an ancestor). */
  readonly said: Readonly<Record<string, Said>>;
  /** Of a condition, by the same name. */
  readonly message: (of: string, type: string) => string;
}

/** Key of the status of the class that nobody has to declare; left out of `said` where nobody does. */
const IMPLICIT_CLASS = `GatewayClass /${SERIN_GATEWAY_CLASS}`;

export function attached(yaml: string, ownListeners: readonly string[] = []): Attached {
  const diagnostics: Diagnostic[] = [];
  const { snapshot } = loadText('test.yaml', yaml);
  const compilation = startCompilation(snapshot, diagnostics, {});
  const attachments = attach(compilation, new Set(ownListeners));
  const conditions = new Map<string, readonly Condition[]>();
  const said: Record<string, Said> = {};
  const add = (name: string, all: readonly Condition[], more: Said = {}): void => {
    conditions.set(name, all);
    said[name] = { ...Object.fromEntries(all.map(({ type, status, reason }) => [type, `${status} ${reason}`])), ...more };
  };
  const isImplicit = snapshot.gatewayClasses.every(({ metadata }) => metadata.name !== SERIN_GATEWAY_CLASS);
  for (const [key, status] of attachments.statuses) {
    if (isImplicit && key === IMPLICIT_CLASS) continue;
    const name = key.replace(/^GatewayApiGateway /, 'Gateway ').replace(/^GatewayClass \//, 'GatewayClass ');
    if ('conditions' in status) add(name, status.conditions);
    const listeners: readonly ListenerStatus[] = 'listeners' in status ? status.listeners : [];
    for (const { name: listener, conditions: all, attachedRoutes, supportedKinds } of listeners) {
      add(`${name} ${listener}`, all, { attached: String(attachedRoutes), kinds: supportedKinds.map(({ kind }) => kind).join(' ') });
    }
    const parents = 'parents' in status ? status.parents : 'ancestors' in status ? status.ancestors : [];
    for (const [index, parent] of parents.entries()) add(`${name} ${index}`, parent.conditions);
  }
  const message = (of: string, type: string): string => conditions.get(of)?.find((condition) => condition.type === type)?.message ?? '';
  return { attachments, diagnostics, said, message };
}

/** `shop http: books(example.com) reviews(*)` of every listener that is served. */
export function servedRoutes({ attachments }: Attached): readonly string[] {
  return attachments.listeners.map(({ owner, listener, routes }) =>
    [
      `${owner.metadata.name} ${listener.name}:`,
      ...routes.map(({ route, hostnames }) => `${route.metadata.name}(${hostnames.join(',')})`),
    ].join(' '),
  );
}

/** A Gateway of Serin's class. @param more Further fields of its spec, in flow style. */
export function gateway(name: string, listeners: readonly string[], more = ''): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: ${name}, namespace: default }
spec:
  gatewayClassName: serin
  listeners: [${listeners.join(', ')}]
${more === '' ? '' : `  ${more}`}
---`;
}

/** @param more Further fields of its metadata, in flow style. */
export function httpRoute(name: string, spec: string, namespace = 'default', more = ''): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name}, namespace: ${namespace}${more} }
spec: ${spec}
---`;
}

export function service(name: string, namespace = 'default', ports = '[{ name: http, port: 80 }]'): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ports: ${ports} }
---`;
}

/** What is said where everything is well: of a Gateway or a ListenerSet, and of a listener. */
export const ACCEPTED = { Accepted: 'True Accepted', Programmed: 'True Programmed' };
export const GOOD_LISTENER = { ...ACCEPTED, ResolvedRefs: 'True ResolvedRefs', Conflicted: 'False NoConflicts' };
export const conflicted = (reason: string): Said => ({
  Accepted: 'False Invalid',
  Programmed: 'False Invalid',
  Conflicted: `True ${reason}`,
});

/** A listener, in flow style. */
export const on = (name: string, port: number, protocol: string, hostname?: string, more = ''): string =>
  `{ name: ${name}, port: ${port}, protocol: ${protocol}${hostname === undefined ? '' : `, hostname: '${hostname}'`}${more} }`;

export const PASS = ', tls: { mode: Passthrough }';

export const https = (refs: string, name = 'https', hostname = ''): string =>
  `{ name: ${name}, port: 443, protocol: HTTPS${hostname === '' ? '' : `, hostname: '${hostname}'`}, tls: { certificateRefs: [${refs}] } }`;

export const secret = (name: string, data: string, namespace = 'default', type = 'kubernetes.io/tls'): string => `
apiVersion: v1
kind: Secret
metadata: { name: ${name}, namespace: ${namespace} }
type: ${type}
data: ${data}
---`;

export const configMap = (name: string, key: string, text: string, namespace = 'default'): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name}, namespace: ${namespace} }
data: { ${key}: ${JSON.stringify(text)} }
---`;

export const grant = (namespace: string, fromKind: string, fromNamespace: string, toKind: string, name?: string): string => `
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: { name: g-${fromKind.toLowerCase()}-${fromNamespace}, namespace: ${namespace} }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: ${fromKind}, namespace: ${fromNamespace} }]
  to: [{ group: '', kind: ${toKind}${name === undefined ? '' : `, name: ${name}`} }]
---`;

export const listenerSet = (
  name: string,
  listeners: readonly string[],
  namespace = 'default',
  parent = 'name: gw, namespace: default',
): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  parentRef: { ${parent} }
  listeners: [${listeners.join(', ')}]
---`;
export const allowing = (from: string): string => `allowedListeners: { namespaces: { ${from} } }`;
