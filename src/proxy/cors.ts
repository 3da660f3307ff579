/**
 * Requests of pages from elsewhere, by a route's CORS policy (Envoy's cors_filter.cc; Fetch §3.2). Preflights of allowed origins are answered here;
 * everything else is answered as ever, and the lines that let the page see it are added.
 */
import type { RequestView } from '../routing/request-view.ts';
import { valueTest } from '../routing/condition.ts';
import type { CorsPolicy } from '../routing/table.ts';
import type { Answer } from './answer.ts';
import type { SettledOps } from './route-runtime.ts';

/** Ours are stated instead of whatever the upstream or an operation says. */
const OWN_LINE = /^access-control-(?:allow-origin|allow-credentials):.*\r\n/gim;
/** Tokens (RFC 9110 §5.6.2) in a list. */
const NAMES = /^[\w!#$%&'*+.^`|~, -]+$/;
const OWN_FIELDS = ['access-control-allow-origin', 'access-control-allow-credentials'];

export class CorsRules {
  readonly #policy: CorsPolicy;
  readonly #allows: readonly ((origin: string) => boolean)[];
  readonly #takesAll: boolean;
  /** Empty where nothing is said of them. */
  readonly #exposed: string;
  readonly #dropping = new WeakMap<SettledOps, SettledOps>();

  constructor(policy: CorsPolicy) {
    this.#policy = policy;
    this.#allows = policy.origins.map(valueTest);
    const isName = policy.echoesRequested === true && policy.allowsCredentials && policy.exposeHeaders === '*';
    this.#exposed = isName ? '' : policy.exposeHeaders;
    this.#takesAll = policy.origins.some(({ kind, value }) => kind === 'exact' && value === '*');
  }

  /** The origin, where the policy lets its page see the answer. */
  allowedOrigin(request: RequestView): string | undefined {
    const origin = request.header('origin') ?? '';
    if (origin === '') return undefined;
    return this.#takesAll || this.#allows.some((allows) => allows(origin)) ? origin : undefined;
  }

  /** An answer for a preflight that goes no further. @param origin  As `allowedOrigin` says. */
  preflightAnswer(request: RequestView, origin: string | undefined): Answer | undefined {
    if (request.method !== 'OPTIONS' || !request.header('origin') || !request.header('access-control-request-method')) return undefined;
    if (origin === undefined) return this.#policy.forwardsUnmatched ? undefined : { status: 200, fields: '', body: '' };
    const { maxAgeSeconds, echoesRequested } = this.#policy;
    const allowMethods = this.#allowed(this.#policy.allowMethods, request.header('access-control-request-method'));
    const allowHeaders = this.#allowed(this.#policy.allowHeaders, request.header('access-control-request-headers'));
    const fields = [
      ...(allowMethods === '' ? [] : [`access-control-allow-methods: ${allowMethods}\r\n`]),
      ...(allowHeaders === '' ? [] : [`access-control-allow-headers: ${allowHeaders}\r\n`]),
      // No browser looks for them here (Fetch §3.3.3); the Gateway API's conformance tests do.
      ...(echoesRequested === true ? [this.#exposedLine] : []),
      ...(maxAgeSeconds === undefined ? [] : [`access-control-max-age: ${maxAgeSeconds}\r\n`]),
    ];
    return { status: 200, fields: this.#originLines(origin) + fields.join(''), body: '' };
  }

  /** What is said to be allowed. @param requested  As the preflight has it. */
  #allowed(list: string, requested: string | undefined): string {
    const { echoesRequested, allowsCredentials } = this.#policy;
    if (echoesRequested !== true || list !== '*') return list;
    if (requested !== undefined && NAMES.test(requested)) return requested;
    return allowsCredentials ? '' : list;
  }

  get #exposedLine(): string {
    return this.#exposed === '' ? '' : `access-control-expose-headers: ${this.#exposed}\r\n`;
  }

  /** Lines of an answer to an allowed origin. The origin is repeated, never `*`, so a cache has to tell origins apart. */
  lines(origin: string): string {
    return this.#originLines(origin) + this.#exposedLine;
  }

  #originLines(origin: string): string {
    const credentials = this.#policy.allowsCredentials ? 'access-control-allow-credentials: true\r\n' : '';
    return `access-control-allow-origin: ${origin}\r\n${credentials}vary: origin\r\n`;
  }

  /** Response operations that also drop what `lines` states. */
  dropping(ops: SettledOps): SettledOps {
    let dropping = this.#dropping.get(ops);
    if (dropping === undefined) {
      const exposed = this.#exposed === '' ? [] : ['access-control-expose-headers'];
      dropping = { ...ops, drop: [...ops.drop, ...OWN_FIELDS, ...exposed] };
      this.#dropping.set(ops, dropping);
    }
    return dropping;
  }
}

/** Lines of operations without those that CORS states. */
export function withoutOrigin(lines: string): string {
  return lines.replace(OWN_LINE, '');
}
