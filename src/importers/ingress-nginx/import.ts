/**
 * `serin import ingress-nginx`: Ingresses with the annotations of ingress-nginx as a Gateway and HTTPRoutes.
 *
 * Invariants: a path that somebody was kept out of is never open (protection.ts). A path that cannot be said answers 500 rather than that another
 * route gets its requests, but for expressions that RE2 cannot read, which are left out. Every annotation is mapped, said to have no equivalent, or
 * ignored because nothing of traffic follows from it.
 */
import { ignoreHead, type ForeignDocument } from '../document.ts';
import { wildcardHostProblem } from '../../config/names.ts';
import { labelOf, type Output } from '../emit.ts';
import { BackendProtocols } from './backend-tls.ts';
import { extrasOf, reportRest } from './filters.ts';
import { GatewayPlan, HTTP_LISTENER, tlsHosts, tlsOf, type TlsHost } from './gateway.ts';
import { type Ingress, type IngressPath, pairCanaries, readIngress, readServices } from './ingress.ts';
import { isExpression, type RegexHost } from './paths.ts';
import { reportProtection } from './protection.ts';
import { MAX_MATCHES, routesOf, rulesOfHost } from './routes.ts';

const CONTROLLER = 'k8s.io/ingress-nginx';

/** What nginx answers by default where it sends to HTTPS (http-redirect-code). */
const REDIRECT_CODE = 308;

export function importIngressNginx(documents: readonly ForeignDocument[]): readonly Output[] {
  const services = readServices(documents);
  const configMaps = readConfigMaps(documents);
  const others = otherClasses(documents);
  const read = documents
    .filter(({ kind, group }) => kind === 'Ingress' && (group === 'networking.k8s.io' || group === 'extensions'))
    .flatMap((document) => {
      if (document.version !== 'v1') {
        document.root.noEquivalent(
          `an Ingress of ${document.group}/${document.version} is written in older words; it is left out`,
          'kubectl get ingress -o yaml prints it as networking.k8s.io/v1',
        );
        return [];
      }
      const name = document.root.at('spec', 'ingressClassName').text() ?? classOf(document);
      if (name === undefined || !others.has(name)) return [readIngress(document, services)];
      document.root.noEquivalent(`the Ingress is of class ${name}, which another controller serves; it is left out`);
      return [];
    });
  // Of two that have the same path the older counts.
  const ingresses = read.sort((a, b) => (a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : 0));
  pairCanaries(ingresses);
  leaveOutDuplicates(ingresses);
  const tls = tlsHosts(ingresses);
  const gateway = new GatewayPlan(ingresses, tls);
  const protocols = new BackendProtocols(services);
  const names = new Set<string>();
  const regexHosts = hostsWithExpressions(ingresses);
  const mains = ingresses.filter(({ isCanary }) => !isCanary);
  const closed = closedParts(mains, protocols);
  const context = { gateway, tls, names, configMaps, regexHosts, closed };
  const routes = mains.flatMap((ingress) => writeIngress(ingress, context));
  for (const ingress of ingresses) {
    for (const name of ['canary', 'use-regex', 'server-alias']) ingress.annotations.field(name).word();
    if (ingress.isCanary) for (const name of CANARY) ingress.annotations.field(name).word();
    reportRest(ingress.annotations, ingress.isCanary);
  }
  return ingresses.length === 0 ? [] : [...gateway.outputs(), ...protocols.outputs(), ...routes];
}

const CANARY = [
  'canary-by-header',
  'canary-by-header-value',
  'canary-by-header-pattern',
  'canary-by-cookie',
  'canary-weight',
  'canary-weight-total',
];

interface Context {
  readonly gateway: GatewayPlan;
  readonly tls: readonly TlsHost[];
  readonly names: Set<string>;
  readonly configMaps: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly regexHosts: ReadonlyMap<string | undefined, RegexHost>;
  readonly closed: ClosedParts;
}

interface ClosedParts {
  readonly ingresses: ReadonlySet<Ingress>;
  readonly hosts: ReadonlySet<string | undefined>;
  /** By host. */
  readonly paths: ReadonlyMap<string | undefined, readonly string[]>;
}

/** What nobody gets through to, with the reasons said. */
function closedParts(ingresses: readonly Ingress[], protocols: BackendProtocols): ClosedParts {
  const closed = new Set<Ingress>();
  const hosts = new Set<string | undefined>();
  const paths = new Map<string | undefined, string[]>();
  for (const ingress of ingresses) {
    const { annotations } = ingress;
    const protection = reportProtection(annotations);
    const isPassedOn = annotations.flag('ssl-passthrough') === true;
    if (isPassedOn)
      annotations
        .field('ssl-passthrough')
        .noEquivalent(
          'connections that are passed on whole are written by hand; the paths answer 500',
          'a listener with tls: { mode: Passthrough }, and a TLSRoute',
        );
    const backends = ingress.paths.flatMap(({ backend, canary }) => (canary === undefined ? [backend] : [backend, canary.backend]));
    const isSpoken = protocols.add(ingress, backends);
    if (protection === 'open' && !isPassedOn && isSpoken) continue;
    closed.add(ingress);
    for (const { host, path, type } of ingress.paths) {
      if (protection === 'hosts') hosts.add(host);
      if (type !== 'Exact') paths.set(host, [...(paths.get(host) ?? []), path]);
    }
  }
  return { ingresses: closed, hosts, paths };
}

function writeIngress(ingress: Ingress, context: Context): readonly Output[] {
  const { annotations, namespace } = ingress;
  const extras = extrasOf(ingress, context.configMaps);
  const aliases = aliasesOf(ingress);
  const isForced = annotations.flag('force-ssl-redirect') === true;
  const isRedirected = annotations.flag('ssl-redirect') ?? true;
  const redirectsWww = annotations.flag('from-to-www-redirect') === true;
  const hosts = [...new Set(ingress.paths.map(({ host }) => host))];
  return hosts.flatMap((host) => {
    const paths = ingress.paths.filter((path) => path.host === host);
    const secure = tlsOf(host, context.tls);
    if (isForced && secure === undefined)
      annotations
        .field('force-ssl-redirect')
        .differs(
          `${host ?? 'the host without a name'} has no certificate in the files, so only the redirect to HTTPS is written`,
          'add tls: with a secretName',
        );
    const toHttps = isForced || (secure !== undefined && isRedirected);
    const name = nameOf(ingress, host, hosts.length, context.names);
    const hostnames = [...(host === undefined ? [] : [host]), ...aliases];
    const regexHost = context.regexHosts.get(host);
    const isClosed = context.closed.ingresses.has(ingress) || context.closed.hosts.has(host);
    const closedPaths = context.closed.paths.get(host) ?? [];
    const groups = rulesOfHost(ingress, { paths, extras, isClosed, regexHost, closedPaths });
    const listeners = [...(toHttps ? [] : [HTTP_LISTENER]), ...(secure === undefined ? [] : [secure.listener])];
    const parentRefs = listeners.map((listener) => context.gateway.parentRef(namespace, listener));
    const isReleased = paths.some(({ canary }) => canary !== undefined) && !isClosed;
    const remarks = [
      ...(isClosed ? ['Closed: nginx kept somebody out here. Without a backend every request is answered with 500.'] : []),
      ...(isReleased ? releaseRemarks(name, namespace, paths) : []),
    ];
    const part = { name, namespace, context };
    return [
      ...(parentRefs.length === 0
        ? []
        : routesOf(groups, { name, namespace, hostnames, parentRefs, taken: context.names }).map((document, index) => ({
            ...(index === 0 ? { remarks } : {}),
            document,
          }))),
      ...(toHttps ? redirectOf({ ...part, suffix: 'to-https', hostnames, filter: { scheme: 'https' }, matches: pathMatches(groups) }) : []),
      ...(redirectsWww && host !== undefined ? wwwRedirect(host, part) : []),
    ];
  });
}

function aliasesOf({ annotations }: Ingress): readonly string[] {
  const names = (annotations.text('server-alias') ?? '').split(/[\s,]+/).filter((name) => name !== '');
  const hosts = names.filter((name) => wildcardHostProblem(name) === undefined && /^(?:\*\.)?[a-z0-9.-]+$/.test(name));
  if (hosts.length < names.length)
    annotations
      .field('server-alias')
      .differs('hostnames of a route are names or *.names in lower case: expressions are left out', 'list the hosts');
  return hosts;
}

interface Part {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly context: Context;
}

interface Redirect extends Part {
  readonly suffix: string;
  readonly hostnames: readonly string[];
  readonly filter: object;
  readonly matches: readonly object[];
  /** Default: plain HTTP. */
  readonly listeners?: readonly string[];
}

function redirectOf({
  name,
  namespace,
  context,
  suffix,
  hostnames,
  filter,
  matches,
  listeners = [HTTP_LISTENER],
}: Redirect): readonly Output[] {
  const filters = [{ type: 'RequestRedirect', requestRedirect: { ...filter, statusCode: REDIRECT_CODE } }];
  const groups: object[][] = [];
  for (let at = 0; at < matches.length; at += MAX_MATCHES) groups.push(matches.slice(at, at + MAX_MATCHES));
  const parentRefs = listeners.map((listener) => context.gateway.parentRef(namespace, listener));
  const rules = groups.map((part) => [{ matches: part, filters }]);
  const route = { name: labelOf(`${name}-${suffix}`, context.names), namespace, hostnames, parentRefs, taken: context.names };
  return routesOf(rules, route).map((document) => ({ document }));
}

/** From the name with www to the one without, or the other way round. */
function wwwRedirect(host: string, part: Part): readonly Output[] {
  const other = host.startsWith('www.') ? host.slice(4) : `www.${host}`;
  const secure = tlsOf(other, part.context.tls);
  return redirectOf({
    ...part,
    suffix: 'www',
    hostnames: [other],
    filter: { hostname: host },
    matches: [{ path: { type: 'PathPrefix', value: '/' } }],
    listeners: [HTTP_LISTENER, ...(secure === undefined ? [] : [secure.listener])],
  });
}

/** Each path once, whatever the headers. */
function pathMatches(groups: readonly (readonly Readonly<Record<string, unknown>>[])[]): readonly object[] {
  const matches = groups.flat().flatMap(({ matches }) => (Array.isArray(matches) ? (matches as readonly { readonly path: object }[]) : []));
  return [...new Map(matches.map(({ path }) => [JSON.stringify(path), { path }])).values()];
}

function nameOf(ingress: Ingress, host: string | undefined, hosts: number, names: Set<string>): string {
  return labelOf(hosts === 1 ? ingress.name : `${ingress.name}-${host ?? 'any'}`, names);
}

function releaseRemarks(name: string, namespace: string | undefined, paths: readonly IngressPath[]): readonly string[] {
  const path = paths.find(({ canary }) => canary !== undefined);
  return [
    'The weights stand as the annotations have them. To let Serin walk the release through, by evidence:',
    '  apiVersion: serin.dev/v1alpha1',
    '  kind: Rollout',
    `  metadata: { name: ${name}${namespace === undefined ? '' : `, namespace: ${namespace}`} }`,
    '  spec:',
    `    route: { kind: HTTPRoute, name: ${name} }`,
    `    stable: ${path?.backend.name ?? ''}`,
    `    canary: ${path?.canary?.backend.name ?? ''}`,
  ];
}

function hostsWithExpressions(ingresses: readonly Ingress[]): ReadonlyMap<string | undefined, RegexHost> {
  const hosts = new Map<string | undefined, IngressPath[]>();
  for (const path of ingresses.filter(({ isCanary }) => !isCanary).flatMap(({ paths }) => paths)) {
    const same = hosts.get(path.host);
    if (same === undefined) hosts.set(path.host, [path]);
    else same.push(path);
  }
  const found = new Map<string | undefined, RegexHost>();
  for (const [host, paths] of hosts) {
    const all = new Set(paths.map(({ ingress }) => ingress));
    const isOfNginx = [...all].some(({ annotations }) => annotations.flag('use-regex') === true || annotations.has('rewrite-target'));
    // A prefix of letters takes `/adminfoo` too, and an expression `/ADMIN`: where anything of the host is closed, that decides who is kept out.
    const isRaw = ({ path, type }: IngressPath): boolean =>
      path !== '/' && (type === 'ImplementationSpecific' || (isOfNginx && type === 'Prefix'));
    if (paths.some(isExpression) || (paths.some(isRaw) && [...all].some(isProtected))) found.set(host, { isOfNginx });
  }
  return found;
}

function isProtected({ annotations }: Ingress): boolean {
  return annotations
    .names()
    .some((name) => /^(?:auth-|whitelist-|allowlist-|denylist-|enable-modsecurity|modsecurity-)|-snippet$/.test(name));
}

function leaveOutDuplicates(ingresses: readonly Ingress[]): void {
  const seen = new Set<string>();
  for (const { paths, isCanary } of ingresses) {
    if (isCanary) continue;
    for (let index = paths.length - 1; index >= 0; index--) {
      const path = paths[index];
      if (path === undefined) continue;
      const key = JSON.stringify([path.host, path.path, path.type]);
      if (seen.has(key)) {
        path.field.differs(
          `${path.host ?? 'the host without a name'}${path.path} stands in an older Ingress already, which counts; this one is left out`,
        );
        paths.splice(index, 1);
      }
    }
    for (const path of paths) seen.add(JSON.stringify([path.host, path.path, path.type]));
  }
}

function classOf({ root }: ForeignDocument): string | undefined {
  return root.at('metadata', 'annotations', 'kubernetes.io/ingress.class').text();
}

/** Names of the IngressClasses in the files that are not of ingress-nginx. */
function otherClasses(documents: readonly ForeignDocument[]): ReadonlySet<string> {
  const classes = documents.filter(({ kind, group }) => kind === 'IngressClass' && group === 'networking.k8s.io');
  for (const { root } of classes) root.ignore();
  return new Set(classes.filter(({ root }) => root.at('spec', 'controller').peek() !== CONTROLLER).map(({ name }) => name));
}

function readConfigMaps(documents: readonly ForeignDocument[]): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const found = new Map<string, Readonly<Record<string, string>>>();
  for (const document of documents) {
    if (document.group !== '' || document.kind !== 'ConfigMap') continue;
    ignoreHead(document);
    const data = document.root.at('data');
    const texts = data.entries().map(([key, field]): [string, string] => [key, field.word() ?? '']);
    document.root.ignore();
    found.set(`${document.namespace ?? 'default'}/${document.name}`, Object.fromEntries(texts));
  }
  return found;
}
