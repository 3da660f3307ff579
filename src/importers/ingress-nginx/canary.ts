/**
 * A path with its canary as rules of an HTTPRoute: header, then cookie, then weight, as ingress-nginx decides.
 *
 * All rules of a path have the same path; those by header and by cookie have one header match each and stand in that order, so the first of them
 * that holds decides, and the rule by weight has none and comes last (Gateway API: more header matches first, then the order in the list).
 */
import type { IngressPath } from './ingress.ts';
import { isRe2 } from './paths.ts';

export interface HeaderMatch {
  readonly type?: 'RegularExpression';
  readonly name: string;
  readonly value: string;
}

export interface RuleDraft {
  readonly headers: readonly HeaderMatch[];
  readonly backendRefs: readonly Readonly<Record<string, unknown>>[];
}

/** The least that `canary-weight` is out of. */
const USUAL_TOTAL = 100;

export function rulesOf(path: IngressPath): readonly RuleDraft[] {
  const stable = { name: path.backend.name, port: path.backend.port };
  const { canary } = path;
  if (canary === undefined) return [{ headers: [], backendRefs: [stable] }];
  const to = { name: canary.backend.name, port: canary.backend.port };
  const { annotations } = canary.ingress;
  // nginx ignores a total below a hundred.
  const total = Math.max(USUAL_TOTAL, annotations.number('canary-weight-total') ?? USUAL_TOTAL);
  const weight = Math.min(total, Math.max(0, Math.trunc(annotations.number('canary-weight') ?? 0)));
  return [
    ...byHeader(path, stable, to),
    ...byCookie(path, stable, to),
    {
      headers: [],
      backendRefs: [
        { ...stable, weight: total - weight },
        { ...to, weight },
      ],
    },
  ];
}

function byHeader({ canary }: IngressPath, stable: object, to: object): readonly RuleDraft[] {
  const annotations = canary?.ingress.annotations;
  const name = annotations?.text('canary-by-header');
  const value = annotations?.text('canary-by-header-value');
  const pattern = annotations?.field('canary-by-header-pattern');
  if (name === undefined) return [];
  if (value !== undefined) {
    pattern?.noEquivalent('ingress-nginx ignores the pattern beside canary-by-header-value; so does the import');
    return [{ headers: [{ name, value }], backendRefs: [{ ...to }] }];
  }
  const expression = pattern?.text();
  if (expression === undefined)
    return [
      { headers: [{ name, value: 'always' }], backendRefs: [{ ...to }] },
      { headers: [{ name, value: 'never' }], backendRefs: [{ ...stable }] },
    ];
  // nginx looks for it anywhere in the value; here it has to match all of it.
  const whole = `.*(?:${expression}).*`;
  if (!isRe2(whole)) {
    pattern?.noEquivalent(
      'the expression has parts that RE2 does not (look-around, back-references); nobody gets the canary by this header',
      'write it without them',
    );
    return [];
  }
  return [{ headers: [{ type: 'RegularExpression', name, value: whole }], backendRefs: [{ ...to }] }];
}

function byCookie({ canary }: IngressPath, stable: object, to: object): readonly RuleDraft[] {
  const name = canary?.ingress.annotations.text('canary-by-cookie');
  if (name === undefined) return [];
  const match = (value: string): readonly HeaderMatch[] => [
    { type: 'RegularExpression', name: 'cookie', value: `(?:.*;)?\\s*${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}=${value}\\s*(?:;.*)?` },
  ];
  return [
    { headers: match('always'), backendRefs: [{ ...to }] },
    { headers: match('never'), backendRefs: [{ ...stable }] },
  ];
}
