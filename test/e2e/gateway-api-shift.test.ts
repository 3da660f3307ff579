/** What moves a route of the Gateway API by hand, and what is said of a release whose route or Service is not there, in a running Serin. */
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { greeterClient, hello, startGreeter } from '../helpers/greeter.ts';
import { serin } from '../helpers/serin-process.ts';
import { GATEWAY, service, steps, useShop } from '../helpers/shop.ts';

const shop = useShop();

describe('what is not there', () => {
  test('is said, holds the release, and is seen when it comes', async () => {
    shop.save({ rollout: `stable: shop-v1, canary: shop-v9, strategy: { canary: { steps: [{ setWeight: 100 }] } }` });
    const { out, err } = await serin(['validate', '-f', shop.config]);
    expect(out + err).toMatch(/there is no Service "shop-v9" in namespace default; nothing is released \[W_UNKNOWN_SERVICE\]/);
    const process = await shop.up();
    await shop.until(process, ({ message }) => message.includes('there is no Service "shop-v9"'));
    await shop.expectShares(process, { 'shop-v1': 0.6, other: 0.4 });
    shop.save({ rollout: steps('{ setWeight: 100 }') });
    await shop.until(process, ({ outcome }) => outcome === 'promoted');
  });
});

describe('serin shift', () => {
  test('of an HTTPRoute moves what its Services have, over a restart, until it is dropped', async () => {
    shop.save({});
    const written = readFileSync(shop.config, 'utf8');
    let process = await shop.up();
    const shift = await shop.cli('shift', 'httproute/shop', 'shop-v1=1', 'shop-v2=3');
    expect(shift).toMatchObject({ code: 0, err: '' });
    expect(shift.out).toBe('httproute/default/shop: shop-v1 60%, other 40% -> shop-v1 15%, shop-v2 45%, other 40%\n');
    await shop.expectShares(process, { 'shop-v1': 0.15, 'shop-v2': 0.45, other: 0.4 });
    process.signal('SIGKILL');
    await process.finished;
    process = await shop.up();
    await shop.expectShares(process, { 'shop-v1': 0.15, 'shop-v2': 0.45, other: 0.4 });
    expect(await shop.cli('shift', 'HTTPRoute/default/shop', '--reset')).toMatchObject({ code: 0 });
    await shop.expectShares(process, { 'shop-v1': 0.6, 'shop-v2': 0, other: 0.4 });
    expect(readFileSync(shop.config, 'utf8')).toBe(written);
    expect(await shop.cli('shift', 'httproute/shpo', 'shop-v1=1')).toMatchObject({
      code: 5,
      err: expect.stringContaining('did you mean shop?'),
    });
  });

  test('is refused while a Rollout moves the route', async () => {
    shop.save({ rollout: steps('{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }') });
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const { code, err } = await shop.cli('shift', 'httproute/shop', 'shop-v1=1');
    expect(code).toBe(6);
    expect(err).toContain('Rollout default/shop moves HTTPRoute default/shop');
  });

  test('of a GRPCRoute', async () => {
    const [one, two] = await Promise.all(['one', 'two'].map((name) => startGreeter((_call, done) => done(null, name))));
    const route = `---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: greeter }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ matches: [{ method: { service: test.Greeter } }], backendRefs: [{ name: greeter-one, port: 8080 }] }]
`;
    writeFileSync(shop.config, [GATEWAY, route, service('greeter-one', one?.port ?? 0), service('greeter-two', two?.port ?? 0)].join(''));
    const process = await shop.up();
    const client = greeterClient(shop.edge(process).port);
    expect(await hello(client, 'x')).toMatchObject({ code: 0, reply: 'one' });
    const shift = await shop.cli('shift', 'grpcroute/greeter', 'greeter-one=0', 'greeter-two=1');
    expect(shift.out).toBe('grpcroute/default/greeter: greeter-one 100% -> greeter-one 0%, greeter-two 100%\n');
    expect(await hello(client, 'x')).toMatchObject({ code: 0, reply: 'two' });
  });
});
