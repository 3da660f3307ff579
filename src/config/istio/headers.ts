/** Header names and values, as Istio's webhook has them, and the names no rule may touch because they frame the message (RFC 9112 §6). */
import type { HeaderOperations, Headers } from '../resources.ts';
import { show, type Place } from '../report.ts';

/** RFC 9110 §5.6.2 token. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PSEUDO_HEADERS: ReadonlySet<string> = new Set([':method', ':scheme', ':authority', ':path', ':status']);
/** Hop-by-hop and framing fields: the proxy alone decides them. Istio lets a rule set them; that way lies request smuggling. */
const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Why a rule may not set, add or remove this header; undefined where it may. */
export function forbiddenChange(
  name: string,
  { isRequest, isRemoved }: { readonly isRequest: boolean; readonly isRemoved: boolean },
): string | undefined {
  const lower = name.toLowerCase();
  if (lower.startsWith(':')) return `pseudo header ${show(name)} cannot be changed`;
  if (FRAMING.has(lower)) return `header ${show(name)} frames the message and cannot be changed by a rule`;
  if (lower === 'host' && (!isRequest || isRemoved)) return `header ${show(name)} cannot be ${isRemoved ? 'removed' : 'set on a response'}`;
  return undefined;
}

/** Envoy's command operators: `%%`, or `%NAME%` with an argument in brackets and a length. */
const OPERATOR = /%(?:%|[A-Z][A-Z0-9_]*(?:\([^)]*\))?(?::[0-9]+)?%)/g;

/** A header name to match on: a token, a pseudo header or a JWT claim (`@request.auth.claims.sub`). */
export function checkMatchHeaderName(name: string, place: Place): void {
  if (name.startsWith('@request.auth.claims')) {
    place.warn('W_NOT_HONOURED', `${show(name)} has no effect in this release: tokens are not verified, so the match never holds`);
    return;
  }
  if (TOKEN.test(name) || PSEUDO_HEADERS.has(name)) {
    if (name !== name.toLowerCase())
      place.warn(
        'W_INEFFECTIVE',
        `header name ${show(name)} has capitals`,
        `names are compared in lower case: write ${name.toLowerCase()}`,
      );
    return;
  }
  place.keyError(
    'E_HEADER_NAME',
    name === '' ? 'header name is empty' : `header name ${show(name)} is no HTTP token`,
    'letters, digits and - are safe',
  );
}

export function checkHeaders(headers: Headers | undefined, place: Place): void {
  checkOperations(headers?.request, place.at('request'), true);
  checkOperations(headers?.response, place.at('response'), false);
}

function checkOperations(operations: HeaderOperations | undefined, place: Place, isRequest: boolean): void {
  if (operations === undefined) return;
  for (const verb of ['set', 'add'] as const) {
    const fields = operations[verb];
    if (fields === undefined) continue;
    const seen = new Map<string, string>();
    for (const [name, value] of Object.entries(fields)) {
      const at = place.at(verb).at(name);
      checkChangedName(name, at, isRequest, true);
      checkValue(value, at);
      const earlier = seen.get(name.toLowerCase());
      if (earlier !== undefined)
        at.keyError('E_DUPLICATE', `header ${show(name)} is ${show(earlier)} in other letters`, 'keep one of them');
      seen.set(name.toLowerCase(), name);
    }
  }
  for (const [index, name] of (operations.remove ?? []).entries()) checkChangedName(name, place.at('remove').at(index), isRequest, false);
}

function checkChangedName(name: string, place: Place, isRequest: boolean, isKey: boolean): void {
  const lower = name.toLowerCase();
  const report = (code: 'E_HEADER_NAME' | 'E_HEADER_FORBIDDEN', message: string, hint?: string): void => {
    if (isKey) place.keyError(code, message, hint);
    else place.error(code, message, hint);
  };
  if (isAuthority(lower)) {
    if (!isRequest || !isKey) report('E_HEADER_FORBIDDEN', `header ${show(name)} cannot be ${isKey ? 'set on a response' : 'removed'}`);
    return;
  }
  if (lower.startsWith(':'))
    report('E_HEADER_FORBIDDEN', `pseudo header ${show(name)} cannot be changed`, 'use rewrite for path and authority');
  else if (!TOKEN.test(name))
    report(
      'E_HEADER_NAME',
      name === '' ? 'header name is empty' : `header name ${show(name)} is no HTTP token`,
      'letters, digits and - are safe',
    );
  else if (FRAMING.has(lower))
    report('E_HEADER_FORBIDDEN', `header ${show(name)} frames the message and cannot be changed by a rule`, 'leave it to the proxy');
}

function checkValue(value: string, place: Place): void {
  const control = /[\x00-\x08\x0a-\x1f\x7f]/.exec(value);
  if (control !== null) {
    const code = (control[0].codePointAt(0) ?? 0).toString(16).padStart(2, '0');
    place.error('E_HEADER_VALUE', `header value has the control character 0x${code}`, 'a value is one line of visible text');
    return;
  }
  if (/[^\x00-\xff]/.test(value)) {
    place.error('E_HEADER_VALUE', 'header value has letters outside Latin-1', 'encode it (RFC 8187)');
    return;
  }
  if (value.replaceAll(OPERATOR, '').includes('%')) {
    place.error(
      'E_HEADER_VALUE',
      `header value ${show(value)} has a % that begins no command operator`,
      'write %% for a percent sign, or %REQ(name)%',
    );
  }
}

export function isAuthority(name: string): boolean {
  return name.toLowerCase() === 'host' || name.toLowerCase() === ':authority';
}
