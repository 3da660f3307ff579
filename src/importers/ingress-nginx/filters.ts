/** Annotations that every rule of an Ingress gets: filters, retries, sessions; and those that have no equivalent. */
import { hostProblem } from '../../config/names.ts';
import { defined } from '../emit.ts';
import type { Annotations, Ingress } from './ingress.ts';
import { COMPANIONS } from './protection.ts';

export interface RuleExtras {
  readonly filters: readonly Readonly<Record<string, unknown>>[];
  readonly retry?: Readonly<Record<string, unknown>>;
  readonly sessionPersistence?: Readonly<Record<string, unknown>>;
  /** Requests never get to the backend: all are sent elsewhere. */
  readonly redirect?: Readonly<Record<string, unknown>>;
  /** Host the backend sees. */
  readonly hostname?: string;
}

type ConfigMaps = ReadonlyMap<string, Readonly<Record<string, string>>>;

export function extrasOf({ annotations, namespace }: Ingress, configMaps: ConfigMaps): RuleExtras {
  const redirect = redirectOf(annotations);
  const retry = retryOf(annotations);
  const sessionPersistence = sessionOf(annotations);
  const hostname = upstreamHost(annotations);
  const cors = corsOf(annotations);
  const headers = customHeaders(annotations, namespace, configMaps);
  const prefix = annotations.text('x-forwarded-prefix');
  return {
    filters: [
      ...(prefix === undefined
        ? []
        : [{ type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'X-Forwarded-Prefix', value: prefix }] } }]),
      ...(headers === undefined ? [] : [{ type: 'ResponseHeaderModifier', responseHeaderModifier: { set: headers } }]),
      ...(cors === undefined ? [] : [{ type: 'CORS', cors }]),
    ],
    ...(redirect === undefined ? {} : { redirect }),
    ...(retry === undefined ? {} : { retry }),
    ...(sessionPersistence === undefined ? {} : { sessionPersistence }),
    ...(hostname === undefined ? {} : { hostname }),
  };
}

function redirectOf(annotations: Annotations): RuleExtras['redirect'] {
  for (const [name, code] of [
    ['permanent-redirect', 301],
    ['temporal-redirect', 302],
  ] as const) {
    const target = annotations.text(name);
    const statusCode = annotations.number(`${name}-code`) ?? code;
    if (target === undefined) continue;
    const redirect = redirectTo(target, statusCode);
    if (redirect === undefined)
      annotations
        .field(name)
        .noEquivalent(`${target} is no address that a redirect of an HTTPRoute can name`, 'the paths answer 500 until it is replaced');
    else return redirect;
    return { statusCode: 0 };
  }
  return undefined;
}

const REDIRECT_CODES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function redirectTo(target: string, statusCode: number): RuleExtras['redirect'] {
  const keepsPath = target.endsWith('$request_uri');
  const text = keepsPath ? target.slice(0, -'$request_uri'.length) : target;
  if (text.includes('$') || !REDIRECT_CODES.has(statusCode)) return undefined;
  if (text.startsWith('/')) return keepsPath ? undefined : { path: { type: 'ReplaceFullPath', replaceFullPath: text }, statusCode };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.search !== '' || url.hash !== '')
    return undefined;
  return {
    scheme: url.protocol.slice(0, -1),
    hostname: url.hostname,
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    ...(keepsPath ? {} : { path: { type: 'ReplaceFullPath', replaceFullPath: url.pathname } }),
    statusCode,
  };
}

function retryOf(annotations: Annotations): RuleExtras['retry'] {
  const words = annotations.text('proxy-next-upstream');
  const tries = annotations.number('proxy-next-upstream-tries');
  annotations
    .field('proxy-next-upstream-timeout')
    .noEquivalent('there is no time for all attempts together', 'timeouts: { request: 30s } of the rule bounds them');
  if (words === undefined && tries === undefined) return undefined;
  const list = words?.split(/[\s,]+/) ?? ['error', 'timeout'];
  if (list.includes('off') || tries === 1) return undefined;
  const codes = list.flatMap((word) => /^http_(?<code>\d{3})$/.exec(word)?.groups?.['code'] ?? []).map(Number);
  if (words !== undefined && list.some((word) => !/^(?:error|timeout|http_\d{3})$/.test(word)))
    annotations
      .field('proxy-next-upstream')
      .differs('only error, timeout and http_… of it are carried over; what is not idempotent is never sent twice');
  // nginx counts tries, zero of them meaning any number; an HTTPRoute counts what comes after the first.
  return defined({
    codes: codes.length === 0 ? undefined : codes,
    attempts: tries === undefined || tries === 0 ? 2 : Math.max(1, tries - 1),
  });
}

function sessionOf(annotations: Annotations): RuleExtras['sessionPersistence'] {
  const kind = annotations.text('affinity');
  const name = annotations.text('session-cookie-name') ?? 'INGRESSCOOKIE';
  const path = annotations.text('session-cookie-path');
  const maxAge = annotations.number('session-cookie-max-age') ?? annotations.number('session-cookie-expires');
  for (const detail of ['secure', 'samesite', 'conditional-samesite-none', 'change-on-failure', 'domain', 'partitioned'])
    annotations.field(`session-cookie-${detail}`).noEquivalent('attributes of the session cookie cannot be chosen');
  annotations.field('affinity-mode').noEquivalent('a session stays with its endpoint while there is one');
  annotations
    .field('affinity-canary-behavior')
    .noEquivalent(
      'sessions are kept by the rule they began with',
      'assignment: { by: user, cookie: NAME } of a Rollout keeps users on their version',
    );
  if (kind !== 'cookie') return undefined;
  const lasts = maxAge !== undefined && maxAge > 0;
  return {
    type: 'Cookie',
    cookie: defined({ name, path, lifetimeType: lasts ? 'Permanent' : 'Session' }),
    ...(lasts ? { absoluteTimeout: durationOf(maxAge) } : {}),
  };
}

/** Durations of the Gateway API have at most five digits a unit. */
function durationOf(seconds: number): string {
  const hours = Math.floor(seconds / 3600);
  const rest = Math.round(seconds % 3600);
  return `${hours > 0 ? `${hours}h` : ''}${rest > 0 || hours === 0 ? `${rest}s` : ''}`;
}

function upstreamHost(annotations: Annotations): string | undefined {
  const host = annotations.text('upstream-vhost');
  if (host === undefined) return undefined;
  if (hostProblem(host) === undefined && host === host.toLowerCase() && !host.endsWith('.')) return host;
  annotations
    .field('upstream-vhost')
    .noEquivalent(
      `${host} is no plain host name in lower case, which a rewrite of an HTTPRoute needs; the backend sees the Host of the request`,
    );
  return undefined;
}

/** What a filter takes. */
const ORIGIN = /^(?:\*|https?:\/\/(?:\*\.)?[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?(?::\d{1,5})?)$/;

const CORS_METHODS = 'GET, PUT, POST, DELETE, PATCH, OPTIONS';
const CORS_HEADERS = 'DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization';
const CORS_MAX_AGE_S = 1_728_000;

function corsOf(annotations: Annotations): Readonly<Record<string, unknown>> | undefined {
  const isOn = annotations.flag('enable-cors') === true;
  const list = (name: string, usual: string): readonly string[] =>
    (annotations.text(name) ?? usual)
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  const written = list('cors-allow-origin', '*');
  const allowOrigins = written.filter((origin) => ORIGIN.test(origin));
  const allowMethods = list('cors-allow-methods', CORS_METHODS);
  const allowHeaders = list('cors-allow-headers', CORS_HEADERS);
  const exposeHeaders = list('cors-expose-headers', '');
  const credentials = annotations.flag('cors-allow-credentials') ?? true;
  const maxAge = annotations.number('cors-max-age') ?? CORS_MAX_AGE_S;
  if (!isOn) return undefined;
  if (allowOrigins.length < written.length)
    annotations.field('cors-allow-origin').differs('origins are http(s)://HOST[:PORT] or *: the others are left out', 'name them in full');
  if (allowOrigins.some((origin) => origin.includes('//*.')))
    annotations
      .field('cors-allow-origin')
      .differs('*. stands for any number of names here, for one of them in nginx', 'name the hosts if that is too many');
  if (allowOrigins.length === 0) return undefined;
  const isAny = allowOrigins.includes('*');
  if (isAny && credentials)
    annotations
      .field('enable-cors')
      .differs(
        'allowCredentials is left out: nginx answers * beside it, which browsers refuse, and here any origin would get the credentials',
        'name the origins that may send credentials in allowOrigins',
      );
  return {
    allowOrigins: isAny ? ['*'] : allowOrigins,
    ...(credentials && !isAny ? { allowCredentials: true } : {}),
    allowMethods,
    allowHeaders,
    ...(exposeHeaders.length === 0 ? {} : { exposeHeaders }),
    maxAge: Math.max(1, Math.trunc(maxAge)),
  };
}

function customHeaders(annotations: Annotations, namespace: string | undefined, configMaps: ConfigMaps): readonly object[] | undefined {
  const name = annotations.text('custom-headers');
  if (name === undefined) return undefined;
  const data = configMaps.get(name.includes('/') ? name : `${namespace ?? 'default'}/${name}`);
  if (data === undefined) {
    annotations
      .field('custom-headers')
      .missing(`ConfigMap ${name} is not in the files given; its headers are left out`, 'give its file too');
    return undefined;
  }
  return Object.entries(data).map(([header, value]) => ({ name: header, value }));
}

/** What it said, and what is to be done instead. */
const NO_EQUIVALENT: Readonly<Record<string, readonly [message: string, hint?: string]>> = {
  'proxy-read-timeout': [
    'nginx means the time between two pieces of an answer, which cannot be set by route',
    'timeouts: { request: 60s } of the rule bounds the whole answer, long downloads too',
  ],
  'proxy-send-timeout': ['nginx means the time between two pieces of a request, which cannot be set by route'],
  'proxy-connect-timeout': [
    'the time for connecting belongs to the Service here',
    'a DestinationRule with trafficPolicy: { connectionPool: { tcp: { connectTimeout: 5s } } }',
  ],
  'proxy-body-size': ['bodies are not limited', 'let the service refuse what is too large'],
  'limit-rps': ['requests are not limited: the service gets all of them', 'let the service limit them, or a proxy before Serin'],
  'limit-rpm': ['requests are not limited: the service gets all of them', 'let the service limit them, or a proxy before Serin'],
  'limit-connections': ['connections of one client are not limited', 'let the service limit them, or a proxy before Serin'],
  'limit-burst-multiplier': ['requests are not limited'],
  'limit-rate': ['answers are not slowed down'],
  'limit-rate-after': ['answers are not slowed down'],
  'limit-whitelist': ['requests are not limited'],
  'limit-allowlist': ['requests are not limited'],
  'global-rate-limit': ['requests are not limited: the service gets all of them', 'let the service limit them, or a proxy before Serin'],
  'global-rate-limit-window': ['requests are not limited'],
  'global-rate-limit-key': ['requests are not limited'],
  'global-rate-limit-ignored-cidrs': ['requests are not limited'],
  'enable-global-auth': [
    'whether the controller asks another service who may pass cannot be seen from here',
    'look for global-auth-url in the ConfigMap of the controller',
  ],
  'custom-http-errors': ['answers of the service are passed on as they are'],
  'default-backend': ['a service without endpoints is answered with 503'],
  'disable-proxy-intercept-errors': ['answers of the service are passed on as they are'],
  'mirror-target': ['copies go to a Service, not to an address', 'filters: [{ type: RequestMirror, requestMirror: { backendRef } }]'],
  'mirror-request-body': ['copies have the body of the request'],
  'mirror-host': ['copies go to a Service, not to an address'],
  'load-balance': ['how endpoints are chosen belongs to the Service here', 'a DestinationRule with trafficPolicy: { loadBalancer: … }'],
  'upstream-hash-by': [
    'how endpoints are chosen belongs to the Service here',
    'a DestinationRule with trafficPolicy: { loadBalancer: { consistentHash: … } }',
  ],
  'upstream-hash-by-subset': ['how endpoints are chosen belongs to the Service here'],
  'upstream-hash-by-subset-size': ['how endpoints are chosen belongs to the Service here'],
  'proxy-cookie-domain': ['cookies of the service are passed on as they are'],
  'proxy-cookie-path': ['cookies of the service are passed on as they are'],
  'proxy-redirect-from': ['Location of an answer is passed on as it is'],
  'proxy-redirect-to': ['Location of an answer is passed on as it is'],
  'proxy-ssl-ciphers': ['ciphers are those of Node'],
  'proxy-ssl-protocols': ['TLS 1.2 and 1.3 are spoken'],
  'proxy-ssl-verify-depth': ['the depth of the chain is not limited'],
  'ssl-ciphers': ['ciphers are those of Node'],
  'ssl-prefer-server-ciphers': ['ciphers are those of Node'],
  'http2-push-preload': ['HTTP/2 push is not done; browsers have given it up'],
  'fastcgi-index': ['FastCGI is not spoken'],
  'fastcgi-params-configmap': ['FastCGI is not spoken'],
  'connection-proxy-header': ['Connection is made by Serin'],
};

/** How nginx works inside, or what it writes down: nothing of traffic follows from it. */
const INSIDE =
  /^(?:proxy-buffer|proxy-max-temp|proxy-busy|proxy-request-buffering|proxy-http-version|client-body-buffer|enable-access-log|enable-rewrite-log|enable-open|opentracing-|opentelemetry-|enable-influxdb|influxdb-|service-upstream|preserve-trailing-slash|use-port-in-redirects|session-cookie-hash)/;

/** All that has not been dealt with by name elsewhere. @param isCanary Of those nginx takes the annotations of the main Ingress. */
export function reportRest(annotations: Annotations, isCanary: boolean): void {
  for (const name of annotations.names()) {
    const field = annotations.field(name);
    if (isCanary && !name.startsWith('canary')) {
      field.ignore();
      continue;
    }
    const known = NO_EQUIVALENT[name];
    if (known !== undefined) field.noEquivalent(...known);
    else if (COMPANIONS.has(name) || INSIDE.test(name)) field.ignore();
  }
  for (const [name, field] of annotations.foreign()) {
    if (name.startsWith('kubectl.') || name.startsWith('meta.helm.sh') || name === 'kubernetes.io/ingress.class') field.ignore();
    else field.noEquivalent('an annotation of another tool is left out', 'put it on the Gateway or the HTTPRoute if that tool reads those');
  }
}
