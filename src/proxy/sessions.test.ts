/** Tokens of sessions: what a made-up one can do, and how long a real one lasts. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cluster } from '../../test/helpers/tables.ts';
import { seededRandom } from '../base/random.ts';
import type { RequestView } from '../routing/request-view.ts';
import { NO_HEADER_OPS, type SessionPersistence } from '../routing/table.ts';
import { HealthView } from '../telemetry/health-board.ts';
import { StatsRegistry, StatsWriter } from '../telemetry/shared-stats.ts';
import { ClusterRuntime, EndpointRuntime } from './cluster-runtime.ts';
import { type ClusterChoice, NO_OPS } from './route-runtime.ts';
import { Sessions } from './sessions.ts';

const NOW_MS = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const KEY = { kind: 'header', name: 'x-session' } as const;

function choice(name: string, ports: readonly number[]): ClusterChoice {
  const registry = new StatsRegistry(1);
  const slot = registry.slot(name);
  const writer = new StatsWriter(0, 1);
  writer.attach(registry.segments());
  const entries = ports.map((port) => ({
    endpoint: new EndpointRuntime('127.0.0.1', port, 0),
    weight: 1,
    healthSlot: -1,
    outlier: undefined,
    share: 1,
    credit: 0,
  }));
  const parts = { counters: writer.cluster(slot), health: new HealthView(), random: seededRandom(1), now: () => 0 };
  return {
    weighted: { cluster: 0, weight: 1, requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS },
    cluster: new ClusterRuntime(cluster(ports, { name }), entries, parts),
    requestOps: NO_OPS,
    responseOps: NO_OPS,
    hostRewrite: undefined,
    rewrite: undefined,
    mirrors: undefined,
    redirect: undefined,
    observation: undefined,
    killSlot: -1,
    fallback: undefined,
    fallbackOn: undefined,
  };
}

const V1 = choice('outbound|80|v1|a', [1, 2]);
const V2 = choice('outbound|80|v2|a', [1, 3]);

function sessions(changes: Partial<SessionPersistence> = {}, choices: readonly ClusterChoice[] = [V1, V2]): Sessions {
  return new Sessions({ key: KEY, destinations: [], ...changes }, choices);
}

function bringing(fields: Readonly<Record<string, string>>): RequestView {
  return { method: 'GET', authority: 'a', path: '/', query: '', scheme: 'http', header: (name) => fields[name] };
}

/** Of each endpoint: `CLUSTER PORT` to token. */
function tokens(from: Sessions, wallMs = NOW_MS): ReadonlyMap<string, string> {
  const all = [V1, V2].flatMap(({ cluster: runtime }) => runtime.endpoints.map(({ endpoint }) => ({ runtime, endpoint })));
  return new Map(
    all.map(({ runtime, endpoint }) => [
      `${runtime.cluster.name} ${endpoint.port}`,
      from.line(runtime, endpoint, wallMs).replace(/^x-session: (.*)\r\n$/, '$1'),
    ]),
  );
}

function found(from: Sessions, token: string, wallMs = NOW_MS): string | undefined {
  const seat = from.find(bringing({ 'x-session': token }), wallMs);
  return seat && `${seat.choice.cluster.cluster.name} ${seat.entry.endpoint.port}`;
}

describe('a token', () => {
  test('leads to its endpoint as its destination, in every data plane, and does not show the address', () => {
    const here = tokens(sessions());
    expect(new Set(here.values()).size).toBe(4);
    for (const [where, token] of here) {
      expect(found(sessions(), token)).toBe(where);
      expect(token).toMatch(/^[\w-]{16}$/);
    }
    expect(tokens(sessions({}, [V2]))).toEqual(here);
  });

  test('of an endpoint that is no destination any more leads nowhere', () => {
    const token = tokens(sessions()).get('outbound|80|v1|a 2') ?? '';
    expect(found(sessions({}, [V2]), token)).toBeUndefined();
  });

  test('of two destinations with one cluster leads to the first', () => {
    const other = { ...V1 };
    const token = tokens(sessions()).get('outbound|80|v1|a 2') ?? '';
    expect(sessions({}, [other, V1]).find(bringing({ 'x-session': token }), NOW_MS)?.choice).toBe(other);
  });

  test('is over after its time and not before, whatever its client says of it', () => {
    const hourly = sessions({ absoluteTimeoutMs: HOUR_MS });
    const token = tokens(hourly).get('outbound|80|v2|a 3') ?? '';
    expect(token).toMatch(/^[\w-]{16}\.[0-9a-z]+$/);
    const at = (wallMs: number): boolean => found(hourly, token, wallMs) !== undefined;
    expect([at(NOW_MS), at(NOW_MS + HOUR_MS - 1), at(NOW_MS + HOUR_MS), at(NOW_MS - 60_001)]).toEqual([true, true, false, false]);
    const name = token.slice(0, 16);
    for (const forged of [name, `${name}.`, `${name}.zzzzzzz`, `${name}.-1`, `${name}.${'z'.repeat(40)}`, `${name}x${token.slice(17)}`]) {
      expect(found(hourly, forged)).toBeUndefined();
    }
  });

  test('of a rule that has no time any more, or has one only now', () => {
    const hourly = sessions({ absoluteTimeoutMs: HOUR_MS });
    const timed = tokens(hourly).get('outbound|80|v1|a 1') ?? '';
    const plain = tokens(sessions()).get('outbound|80|v1|a 1') ?? '';
    expect([found(sessions(), timed, NOW_MS * 2), found(hourly, plain)]).toEqual(['outbound|80|v1|a 1', undefined]);
  });

  test('is found among other cookies', () => {
    const cookies = sessions({ key: { kind: 'cookie', name: 'sid', attributes: '; Path=/' } });
    const token = tokens(sessions()).get('outbound|80|v1|a 2') ?? '';
    expect(cookies.find(bringing({ cookie: `a=b; sid=${token}; c` }), NOW_MS)?.entry.endpoint.port).toBe(2);
    expect(cookies.find(bringing({ cookie: `xsid=${token}` }), NOW_MS)).toBeUndefined();
    expect(cookies.find(bringing({}), NOW_MS)).toBeUndefined();
    expect(cookies.line(V1.cluster, new EndpointRuntime('127.0.0.1', 2, 0), NOW_MS)).toBe(`set-cookie: sid=${token}; Path=/\r\n`);
  });
});

test('whatever bytes come as a token, they lead to an endpoint of the rule or nowhere', () => {
  const hourly = sessions({ absoluteTimeoutMs: HOUR_MS });
  const real = [...tokens(hourly)];
  const bytes = fc.string({ unit: 'binary', maxLength: 64 });
  const nearly = fc
    .tuple(fc.constantFrom(...real), fc.nat(24), bytes)
    .map(([[, token], at, put]) => token.slice(0, at) + put + token.slice(at + 1));
  fc.assert(
    fc.property(fc.oneof(bytes, nearly), fc.boolean(), (token, hasTime) => {
      const where = found(hasTime ? hourly : sessions(), token);
      // Only the name decides where, and only its own 16 characters are it.
      const meant = real.find(([, known]) => known.slice(0, 16) === token.slice(0, 16))?.[0];
      expect([undefined, meant]).toContain(where);
    }),
    { numRuns: 2000 },
  );
});
