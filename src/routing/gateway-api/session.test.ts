import { describe, expect, test } from 'vitest';
import { gateway, route, routesOf, served, to } from '../../../test/helpers/gateway-api.ts';
import type { SessionPersistence } from '../table.ts';

function sessions(name: string, ...rules: readonly string[]): readonly (SessionPersistence | undefined)[] {
  const list = rules.map((rule, index) => `\n    - matches: [{ path: { type: Exact, value: /${index} } }]\n      ${rule}`).join('');
  return routesOf(served(gateway(), route('HTTPRoute', name, list)).table).map(({ action }) =>
    action.kind === 'forward' ? action.session : undefined,
  );
}

const PAIR = 'backendRefs: [{ name: v1, port: 8080 }, { name: v2, port: 8080, weight: 0 }]';

describe('sessions of a rule', () => {
  test('are kept by a cookie of the rule itself, on destinations of weight 0 as well', () => {
    const [session] = sessions('r', `sessionPersistence: { cookie: {} }\n      ${PAIR}`);
    expect(session).toMatchObject({ key: { kind: 'cookie', attributes: '; Path=/; HttpOnly' } });
    expect(session?.key.name).toMatch(/^serin-session-[0-9a-f]{8}$/);
    expect(session?.destinations.map(({ weight }) => weight)).toEqual([1, 0]);
  });

  test('have the destinations themselves, not copies, so that the data plane knows them again', () => {
    const [only] = routesOf(served(gateway(), route('HTTPRoute', 'r', `[{ sessionPersistence: { cookie: {} }, ${PAIR} }]`)).table);
    if (only?.action.kind !== 'forward') throw new Error('the rule forwards nothing');
    expect(only.action.session?.destinations[0]).toBe(only.action.clusters[0]);
  });

  test('of two rules, and of two routes, do not share a cookie; each keeps its own from load to load', () => {
    const rule = `sessionPersistence: { cookie: {} }\n      ${to('v1')}`;
    const names = [...sessions('a', rule, rule), ...sessions('b', rule)].map((session) => session?.key.name);
    expect(new Set(names).size).toBe(3);
    expect(sessions('a', rule, rule).map((session) => session?.key.name)).toEqual(names.slice(0, 2));
  });

  test.each([
    ['cookie: { name: sticky, path: /app }', { key: { kind: 'cookie', name: 'sticky', attributes: '; Path=/app; HttpOnly' } }],
    [
      'absoluteTimeout: 1h, cookie: { name: sticky, lifetimeType: Permanent }',
      { key: { kind: 'cookie', name: 'sticky', attributes: '; Path=/; Max-Age=3600; HttpOnly' }, absoluteTimeoutMs: 3_600_000 },
    ],
    [
      'absoluteTimeout: 1h, cookie: { name: sticky, lifetimeType: Session }',
      { key: { kind: 'cookie', name: 'sticky', attributes: '; Path=/; HttpOnly' }, absoluteTimeoutMs: 3_600_000 },
    ],
    ['type: Header, header: { name: x-session }', { key: { kind: 'header', name: 'x-session' } }],
  ])('{ %s } are %j', (fields, wanted) => {
    expect(sessions('r', `sessionPersistence: { ${fields} }\n      ${to('v1')}`)[0]).toMatchObject(wanted);
  });

  test('are shown by explain', () => {
    const { explain } = served(gateway(), route('HTTPRoute', 'r', `[{ sessionPersistence: { cookie: { name: sticky } }, ${PAIR} }]`));
    expect(explain('GET http://a.example/').forward?.session).toBe('cookie sticky; Path=/; HttpOnly, on 2 destinations');
  });
});
