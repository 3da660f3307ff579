/** How many requests an endpoint still has, which decides when the process behind it may be stopped. */
import { afterEach, describe, expect, test } from 'vitest';
import { singleTable } from '../../test/helpers/tables.ts';
import { ask, startUpstream, type Upstream } from '../../test/helpers/upstream.ts';
import { createProxy, type Proxy } from './proxy.ts';

let proxy: Proxy | undefined;
const upstreams: Upstream[] = [];

afterEach(async () => {
  await proxy?.close();
  await Promise.all(upstreams.splice(0).map((upstream) => upstream.close()));
});

async function upstream(name: string): Promise<Upstream> {
  const started = await startUpstream(name);
  upstreams.push(started);
  return started;
}

describe.each([0, 2])('with %i workers', (workers) => {
  test('a request is counted until it is over, also after its endpoint has left the table', async () => {
    const [old, fresh] = [await upstream('old'), await upstream('fresh')];
    const endpoint = { address: '127.0.0.1', port: old.port };
    const errors: unknown[] = [];
    proxy = createProxy({ workers, onInternalError: (error) => errors.push(error) });
    const bindings = [{ listener: 'mesh', host: '127.0.0.1', port: 0 }];
    const [bound] = await proxy.apply(singleTable(old.port), bindings);
    if (bound === undefined) throw new Error('nothing is bound');
    expect(await proxy.activeRequests(endpoint)).toBe(0);

    const slow = ask(bound, { path: '/slow' });
    await old.held;
    expect(await proxy.activeRequests(endpoint)).toBe(1);
    await proxy.apply(singleTable(fresh.port), bindings);
    expect((await ask(bound)).body).toBe('fresh');
    expect(await proxy.activeRequests(endpoint)).toBe(1);

    old.release();
    expect((await slow).body).toBe('old');
    await expect.poll(() => proxy?.activeRequests(endpoint)).toBe(0);
    expect(errors).toEqual([]);
  });
});
