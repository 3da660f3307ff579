/** Releases of HTTPRoutes and GRPCRoutes in a running Serin: a Gateway, a route to versions that are Services, and a backend that is none of theirs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { askAdmin } from '../helpers/admin-api.ts';
import { greeterClient, hello, startGreeter } from '../helpers/greeter.ts';
import { writeProgram } from '../helpers/process-program.ts';
import { GATEWAY, service, SPLIT, steps, useShop, VERSIONS } from '../helpers/shop.ts';
import { ask, tally } from '../helpers/upstream.ts';

const shop = useShop();

const Processes = z.looseObject({
  items: z.array(z.looseObject({ status: z.looseObject({ phase: z.string() }) })),
});

describe('a canary of an HTTPRoute', () => {
  test('takes its part of what stable has; the other backend keeps its share to the end, and the file stays as it is', async () => {
    shop.save({ rollout: steps('{ setWeight: 25 }, { pause: {} }, { setWeight: 100 }') });
    const written = readFileSync(shop.config, 'utf8');
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    await shop.expectShares(process, { 'shop-v1': 0.45, 'shop-v2': 0.15, other: 0.4 });
    const status = await shop.cli('rollout', 'status', 'shop');
    expect(status.out).toContain('HTTPRoute default/shop');
    expect(status.out).toContain('shop-v1 stable, shop-v2 canary');

    expect(await shop.cli('rollout', 'promote', 'shop')).toMatchObject({ code: 0 });
    await shop.until(process, ({ phase }) => phase === 'Healthy');
    await shop.expectShares(process, { 'shop-v1': 0, 'shop-v2': 0.6, other: 0.4 });
    await shop.act(process, 'undo');
    await shop.expectShares(process, { 'shop-v1': 0.6, 'shop-v2': 0, other: 0.4 });
    expect(readFileSync(shop.config, 'utf8')).toBe(written);
  });

  test('goes from nobody to everybody by evidence', async () => {
    shop.save({
      rollout: `${steps('{ setWeight: 50 }, { analysis: { atLeast: 1s } }, { setWeight: 100 }')}, analysis: { warmup: 500ms, errorBudget: 0.05, latencyTolerance: 2, latencyBudget: 3 }`,
    });
    const process = await shop.up();
    const stop = new AbortController();
    const traffic = shop.load(process, stop.signal);
    const status = await shop.until(process, ({ phase }) => phase === 'Healthy' || phase === 'Degraded');
    stop.abort();
    await traffic;
    expect(status.phase).toBe('Healthy');
    expect(status.message).toMatch(/^shop-v2 is promoted: .* are ruled out/);
    await shop.expectShares(process, { 'shop-v1': 0, 'shop-v2': 0.6, other: 0.4 });
  });

  test('that fails is taken back by proof; the other backend never notices', async () => {
    shop.save({ rollout: steps('{ setWeight: 20 }, { pause: {} }, { setWeight: 100 }'), canaryPort: shop.brokenPort });
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const stop = new AbortController();
    let failed = 0;
    const traffic = shop.load(process, stop.signal, (body) => {
      if (body === 'broken') failed++;
    });
    const status = await shop.until(process, ({ phase }) => phase === 'Degraded');
    stop.abort();
    await traffic;
    expect(failed).toBeGreaterThan(0);
    expect(status.decisions.at(-1)).toMatchObject({ action: 'rollback', reason: expect.stringMatching(/^back to shop-v1: .*\d/) });
    await shop.expectShares(process, { 'shop-v1': 0.6, broken: 0, other: 0.4 });
  });

  test('kill -9: the same step, the same weights on the wire', async () => {
    shop.save({ rollout: steps('{ setWeight: 50 }, { pause: { duration: 1h } }, { setWeight: 100 }') });
    let process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    for (let kill = 0; kill < 3; kill++) {
      await sleep(kill * 130);
      process.signal('SIGKILL');
      await process.finished;
      process = await shop.up();
      expect(await shop.status(process)).toMatchObject({
        phase: 'Paused',
        currentStepIndex: 1,
        weights: { 'shop-v1': 50, 'shop-v2': 50 },
      });
      await shop.expectShares(process, { 'shop-v1': 0.3, 'shop-v2': 0.3, other: 0.4 });
    }
  });

  test('what was promoted is what the next release starts from, although the file still says the first version', async () => {
    shop.save({ rollout: steps('{ setWeight: 100 }') });
    const process = await shop.up();
    await shop.until(process, ({ outcome }) => outcome === 'promoted');
    shop.save({
      rollout: 'stable: shop-v2, canary: shop-v3, strategy: { canary: { steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }] } }',
    });
    await shop.until(process, ({ currentStepIndex, weights }) => currentStepIndex === 1 && weights?.['shop-v3'] === 50);
    await shop.expectShares(process, { 'shop-v1': 0, 'shop-v2': 0.3, 'shop-v3': 0.3, other: 0.4 });
  });

  test('users keep their side while the weight grows, those of the other backend too', async () => {
    shop.save({
      rollout: `${steps('{ setWeight: 10 }, { pause: {} }, { setWeight: 60 }, { pause: {} }, { setWeight: 100 }')}, assignment: { by: user, header: end-user }`,
    });
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const users = Array.from({ length: 300 }, (_, index) => `user-${index}`);
    const sides = (): Promise<string[]> =>
      Promise.all(users.map(async (user) => (await ask(shop.edge(process), { headers: { 'end-user': user } })).body));
    const small = await sides();
    expect(await sides()).toEqual(small);
    await shop.act(process, 'promote');
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 3);
    const large = await sides();
    const moved = users.flatMap((_, index) => (small[index] === large[index] ? [] : [`${small[index]} > ${large[index]}`]));
    expect(new Set(moved)).toEqual(new Set(['shop-v1 > shop-v2']));
    await shop.act(process, 'abort');
    expect(new Set(await sides())).toEqual(new Set(['shop-v1', 'other']));
  });
});

describe('other strategies and steps', () => {
  test('blue-green: testers see green first, the switch is everybody at once, and the way back too', async () => {
    shop.save({
      rollout: `${VERSIONS}, strategy: { blueGreen: { preview: { match: [{ headerName: x-preview, headerValue: { exact: "yes" } }] }, scaleDownDelay: 1h } }`,
    });
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    expect(await tally(shop.edge(process), 20, { headers: { 'x-preview': 'yes' } })).toEqual({ 'shop-v2': 20 });
    await shop.expectShares(process, { 'shop-v1': 0.6, 'shop-v2': 0, other: 0.4 });
    await shop.act(process, 'promote');
    await shop.expectShares(process, { 'shop-v1': 0, 'shop-v2': 0.6, other: 0.4 });
    await shop.until(process, ({ message }) => message.includes('bake 1h'));
    await shop.act(process, 'abort');
    await shop.expectShares(process, { 'shop-v1': 0.6, 'shop-v2': 0, other: 0.4 });
  });

  test('several versions by user: one leaves, its users go to stable, and nobody else moves', async () => {
    // It fails nobody until all have been seen: counting them is proof enough against it.
    shop.brokenStatus = 200;
    shop.save({
      rollout:
        'stable: shop-v1, canaries: [shop-v2, shop-v3], assignment: { by: user, header: end-user }, strategy: { canary: { steps: [{ setWeight: 60 }, { pause: {} }, { setWeight: 100 }] } }',
      canaryPort: shop.brokenPort,
    });
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const users = Array.from({ length: 400 }, (_, index) => `user-${index}`);
    const sides = (): Promise<string[]> =>
      Promise.all(users.map(async (user) => (await ask(shop.edge(process), { headers: { 'end-user': user } })).body));
    const before = await sides();
    // Of the 60 % that are the shop's, stable has two fifths and the canaries three between them.
    for (const [name, share] of [
      ['shop-v1', 0.24],
      ['broken', 0.18],
      ['shop-v3', 0.18],
      ['other', 0.4],
    ] as const) {
      const found = before.filter((side) => side === name).length;
      expect(Math.abs(found - 400 * share), `${name}: ${found} of 400`).toBeLessThanOrEqual(5 * Math.sqrt(400 * share * (1 - share)));
    }
    shop.brokenStatus = 500;
    await sides();
    await shop.until(process, ({ weights }) => weights?.['shop-v2'] === 0);
    const after = await sides();
    expect(after).toEqual(before.map((side) => (side === 'broken' ? 'shop-v1' : side)));
  });

  test('copies for the canary: it gets them, users do not get its answers', async () => {
    shop.save({ rollout: steps('{ setMirrorRoute: { percentage: 100 } }, { pause: {} }, { setWeight: 100 }') });
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const before = shop.upstream('shop-v2').requests();
    expect(Object.keys(await tally(shop.edge(process), 100)).toSorted()).toEqual(['other', 'shop-v1']);
    while (shop.upstream('shop-v2').requests() - before < 100) await sleep(20);
    expect(shop.upstream('shop-v2').requests() - before).toBe(100);
  });

  test('a client with a session keeps its version while that gets requests, and no longer', async () => {
    shop.save({
      rules: `{ sessionPersistence: { cookie: {} }, ${SPLIT} }`,
      rollout: steps('{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }'),
    });
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const clients: { readonly cookie: string; readonly version: string }[] = [];
    while (clients.filter(({ version }) => version === 'shop-v2').length < 3) {
      const { headers, body } = await ask(shop.edge(process));
      clients.push({ cookie: headers['set-cookie']?.[0]?.split(';')[0] ?? '', version: body });
    }
    const now = (): Promise<string[]> =>
      Promise.all(clients.map(async ({ cookie }) => (await ask(shop.edge(process), { headers: { cookie } })).body));
    expect(await now()).toEqual(clients.map(({ version }) => version));
    await shop.act(process, 'abort');
    const after = await now();
    expect(after).not.toContain('shop-v2');
    expect(clients.filter(({ version }, index) => version !== 'shop-v2' && after[index] !== version)).toEqual([]);
  });

  test('a canary of a GRPCRoute that fails by its gRPC status is taken back', async () => {
    const good = await startGreeter((_call, done) => done(null, 'good'));
    const bad = await startGreeter((_call, done) => done({ code: 13, details: 'no' }, null));
    const route = `---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: greeter }
spec:
  parentRefs: [{ name: edge }]
  rules: [{ matches: [{ method: { service: test.Greeter } }], backendRefs: [{ name: greeter-v1, port: 8080 }] }]
---
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: shop }
spec: { route: { kind: GRPCRoute, name: greeter }, stable: greeter-v1, canary: greeter-v2, strategy: { canary: { steps: [{ setWeight: 30 }, { pause: {} }, { setWeight: 100 }] } } }
`;
    writeFileSync(shop.config, [GATEWAY, service('greeter-v1', good.port), service('greeter-v2', bad.port), route].join(''));
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const client = greeterClient(shop.edge(process).port);
    let failed = 0;
    for (let call = 0; call < 5000 && (await shop.status(process)).phase !== 'Degraded'; call += 5)
      for (let each = 0; each < 5; each++) if ((await hello(client, 'x')).code === 13) failed++;
    const taken = await shop.until(process, ({ phase }) => phase === 'Degraded');
    expect(taken).toMatchObject({ weights: { 'greeter-v1': 100, 'greeter-v2': 0 } });
    expect(failed).toBeGreaterThan(0);
    expect(failed).toBeLessThan(40);
    for (let each = 0; each < 20; each++) expect(await hello(client, 'x')).toMatchObject({ code: 0, reply: 'good' });
  });
});

describe('versions that Serin runs', () => {
  test('are released like others, and run on: each is a service that callers may ask for by its own name', async () => {
    const program = writeProgram(shop.directory);
    const run = (name: string): string =>
      `  ${name}:\n    port: 8080\n    versions: { v1: { run: ["${globalThis.process.execPath}", ${program}], env: { NAME: ${name} }, ready: /ready } }\n`;
    const rest = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: shop }
spec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: shop-v1, port: 8080 }] }] }
---
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: shop }
spec: { route: { name: shop }, stable: shop-v1, canary: shop-v2, strategy: { canary: { steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }], scaleDownDelay: 0s } } }
`;
    writeFileSync(shop.config, `services:\n${run('shop-v1')}${run('shop-v2')}---${GATEWAY}${rest}`);
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    await shop.expectShares(process, { 'shop-v1': 0.5, 'shop-v2': 0.5 });
    await shop.act(process, 'promote');
    await shop.until(process, ({ phase }) => phase === 'Healthy');
    expect(await tally(shop.edge(process), 50)).toEqual({ 'shop-v2': 50 });
    const { items } = Processes.parse((await askAdmin(process, shop.state, { path: 'processes' })).json);
    expect(items.map(({ status }) => status.phase)).toEqual(['ready', 'ready']);
    expect(await tally(process.address('mesh'), 5, { headers: { host: 'shop-v1' } })).toEqual({ 'shop-v1': 5 });
  });
});

describe('who sees the canary whatever the weights', () => {
  test('a cohort, in the place of the rule it is about: more particular rules and other routes keep theirs', async () => {
    const particular = `{ matches: [{ headers: [{ name: end-user, value: ada }, { name: x-audit, value: "1" }] }], backendRefs: [{ name: other, port: 8080 }] }`;
    const cart = `{ matches: [{ path: { value: /cart } }], backendRefs: [{ name: other, port: 8080 }] }`;
    shop.save({
      rules: `{ backendRefs: [{ name: shop-v1, port: 8080 }] }, ${particular}, ${cart}`,
      rollout: steps(
        '{ setHeaderRoute: { name: staff, match: [{ headerName: end-user, headerValue: { prefix: ad } }] } }, { pause: {} }, { setWeight: 100 }',
      ),
    });
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 1);
    const asAda = { 'end-user': 'ada' };
    const answers = await Promise.all([
      ask(shop.edge(process), { headers: asAda }),
      ask(shop.edge(process), { headers: { 'end-user': 'eve' } }),
      ask(shop.edge(process), { headers: { ...asAda, 'x-audit': '1' } }),
      ask(shop.edge(process), { path: '/cart', headers: asAda }),
    ]);
    expect(answers.map(({ body }) => body)).toEqual(['shop-v2', 'shop-v1', 'other', 'other']);
    const explained = await shop.cli('explain', `http://${shop.edge(process).host}:${shop.edge(process).port}/`, '-H', 'end-user: ada');
    expect(explained.out).toContain('serin-cohort-staff');
  });

  test('whoever has a preview link', async () => {
    shop.save({ rollout: steps('{ pause: {} }, { setWeight: 100 }') });
    const process = await shop.up();
    await shop.until(process, ({ currentStepIndex }) => currentStepIndex === 0);
    const { token } = z.looseObject({ token: z.string() }).parse(await shop.act(process, 'preview'));
    expect(await tally(shop.edge(process), 20, { headers: { 'x-serin-preview': token } })).toEqual({ 'shop-v2': 20 });
    await shop.expectShares(process, { 'shop-v1': 0.6, 'shop-v2': 0, other: 0.4 });
  });
});
