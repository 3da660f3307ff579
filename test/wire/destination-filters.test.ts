/** What one of several destinations does by itself: rewrites, redirects and copies, of its own requests only (Gateway API, filters of backendRefs). */
import { describe, expect, onTestFinished, test } from 'vitest';
import { BUCKETS, bucketOf } from '../../src/base/bucket.ts';
import { NO_HEADER_OPS } from '../../src/routing/table.ts';
import type { ForwardAction, WeightedCluster } from '../../src/routing/table.ts';
import { RawUpstream } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import type { Rig } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, setHeaders, table } from '../helpers/tables.ts';
import { get, rig } from '../helpers/wire.ts';

const COPIED = 'outbound|80|copied|upstream.test';

/** Users by the destination that is theirs. */
const SALT = 'salt';
const USERS = { first: userOf((bucket) => bucket < BUCKETS / 2), second: userOf((bucket) => bucket >= BUCKETS / 2) };

function userOf(isTheirs: (bucket: number) => boolean): string {
  for (let number = 0; ; number++) if (isTheirs(bucketOf(SALT, `user-${number}`))) return `user-${number}`;
}

/**
 * Two destinations at the rig's upstream, of which the first one does something.
 *
 * @param copies Port of a mirror; cluster 1 of the table.
 */
function split(own: Partial<WeightedCluster>, whole: Partial<ForwardAction> = {}, copies = 1): Promise<Rig> {
  const plain: WeightedCluster = { cluster: 0, weight: 1, requestHeaders: NO_HEADER_OPS, responseHeaders: NO_HEADER_OPS };
  const assignment = { salt: SALT, keys: [{ kind: 'header', name: 'user' }] } as const;
  const action = forward({ clusters: [{ ...plain, ...own }, plain], totalWeight: 2, assignment, ...whole });
  return rig({
    table: (port) => table([hosts(['*'], [route('/old', action)])], [cluster(port), cluster(copies, { name: COPIED, subset: 'copied' })]),
  });
}

async function asked(started: Rig, ...users: readonly (keyof typeof USERS)[]): Promise<readonly string[]> {
  const client = await started.client();
  const outcomes: string[] = [];
  for (const user of users) {
    const answer = await client.ask(get(`User: ${USERS[user]}\r\n`, '/old/x?q=1'));
    outcomes.push([answer.status, ...values(answer, 'location')].join(' '));
  }
  return outcomes;
}

describe('one of several destinations', () => {
  test('rewrites the path and the host of its own requests', async () => {
    const started = await split({ pathRewrite: { kind: 'prefix', value: '/new' }, hostRewrite: 'inner' });
    expect(await asked(started, 'first', 'second')).toEqual(['200', '200']);
    expect(started.upstream.requests.map((request) => [request.target, ...values(request, 'host')])).toEqual([
      ['/new/x?q=1', 'inner'],
      ['/old/x?q=1', 'a'],
    ]);
  });

  test('has its rewrite in place of the one of the route, which the others keep', async () => {
    const whole: Partial<ForwardAction> = { rewrite: { path: { kind: 'full', value: '/whole' }, host: 'outer' } };
    const started = await split({ pathRewrite: { kind: 'prefix', value: '/new' } }, whole);
    await asked(started, 'first', 'second');
    expect(started.upstream.requests.map((request) => [request.target, ...values(request, 'host')])).toEqual([
      ['/new/x?q=1', 'outer'],
      ['/whole?q=1', 'outer'],
    ]);
  });

  test('redirects its own share, and sends nothing', async () => {
    const own = {
      redirect: { kind: 'redirect', status: 302, host: 'other.example' },
      responseHeaders: setHeaders({ 'x-own': '1' }),
    } as const;
    const started = await split(own);
    expect(await asked(started, 'first', 'second', 'first')).toEqual([
      '302 http://other.example/old/x?q=1',
      '200',
      '302 http://other.example/old/x?q=1',
    ]);
    expect(started.upstream.requests).toHaveLength(1);
  });

  test('redirects also where it could not be sent to', async () => {
    const started = await rig({
      table: () =>
        table(
          [
            hosts(
              ['*'],
              [
                route(
                  '/old',
                  forward({
                    clusters: [
                      {
                        cluster: 0,
                        weight: 1,
                        requestHeaders: NO_HEADER_OPS,
                        responseHeaders: NO_HEADER_OPS,
                        redirect: { kind: 'redirect', status: 301, host: 'other.example' },
                      },
                    ],
                  }),
                ),
              ],
            ),
          ],
          [cluster([], { missing: 'there is no such Service', missingStatus: 500 })],
        ),
    });
    expect(await asked(started, 'first')).toEqual(['301 http://other.example/old/x?q=1']);
  });

  test('has its own requests copied', async () => {
    const mirror = await RawUpstream.start();
    onTestFinished(() => mirror.close());
    const mirrors = [{ cluster: 1, perMillion: 1_000_000, marksHost: false }];
    const started = await split({ mirrors }, {}, mirror.port);
    expect(await asked(started, 'first', 'second')).toEqual(['200', '200']);
    const totals = (): number => started.proxy.stats.totals(`mirror|${COPIED}`).requests;
    await expect.poll(totals, { timeout: 10_000, interval: 5 }).toBe(1);
    expect(started.upstream.requests).toHaveLength(2);
  });
});
