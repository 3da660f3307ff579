/** The one way into force: all or nothing, one at a time, durable first. The data plane is a stand-in that can be told to refuse. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import type { Manifest } from '../config/manifest.ts';
import { EMPTY_OVERLAY, type Overlay } from '../config/overlay.ts';
import { type Binding, ListenError } from '../proxy/options.ts';
import type { RoutingTable } from '../routing/table.ts';
import { createLogger, silentLogger } from './logger.ts';
import { ConfigError, Pipeline } from './pipeline.ts';

const CONFIG = `
services:
  reviews:
    versions: { v1: http://127.0.0.1:9081, v2: http://127.0.0.1:9082 }
    routes: [{ split: { v1: 90, v2: 10 } }]
`;

const SHIFTED: Overlay = { releases: {}, shifts: { 'reviews.default.svc.cluster.local': { weights: { v1: 0, v2: 1 } } } };

let directory: string;
let file: string;
let tables: RoutingTable[];
let refusal: Error | undefined;
let inApply = 0;
let mostInApply = 0;
let log: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-pipeline-'));
  file = join(directory, 'config.yaml');
  writeFileSync(file, CONFIG);
  [tables, refusal, inApply, mostInApply, log] = [[], undefined, 0, 0, ''];
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

async function started(logger = silentLogger(), overlay: Overlay = EMPTY_OVERLAY): Promise<Pipeline> {
  const apply = async (table: RoutingTable, bindings: readonly Binding[]): Promise<readonly Binding[]> => {
    mostInApply = Math.max(mostInApply, ++inApply);
    await new Promise((resolve) => setImmediate(resolve));
    inApply--;
    if (refusal !== undefined) throw refusal;
    tables.push(table);
    return bindings;
  };
  const pipeline = new Pipeline(
    {
      paths: [file],
      listen: [],
      mesh: { host: '127.0.0.1', port: 0 },
      sharesPorts: false,
      proxy: { apply },
      dns: { resolve: (table) => table, ready: () => Promise.resolve() },
      processes: {
        want: () => undefined,
        warmUp: () => Promise.resolve(),
        coolDown: () => undefined,
        notReady: () => [],
        resolve: (table) => table,
        applied: () => undefined,
      },
      hostEnv: {},
      health: { apply: () => undefined },
      credentials: { read: () => new Map() },
      clock: new ManualClock(1000),
      logger,
    },
    overlay,
  );
  await pipeline.start();
  return pipeline;
}

const logger = () => createLogger({ write: (text) => (log += text) });

function weights({ listeners }: RoutingTable): number[] {
  return listeners.flatMap(({ virtualHosts }) =>
    virtualHosts.flatMap(({ routes }) =>
      routes.flatMap(({ action }) => (action.kind === 'forward' ? action.clusters.map(({ weight }) => weight) : [])),
    ),
  );
}

describe('a start', () => {
  test('brings the files with the overlay into force', async () => {
    const pipeline = await started(silentLogger(), SHIFTED);
    expect(weights(pipeline.inForce.table)).not.toContain(90);
    expect(pipeline.lastReload).toEqual({ successful: true, lastSuccessAtMs: 1000, atMs: 1000, errors: 0 });
  });

  test('with an invalid file fails with all of its problems', async () => {
    writeFileSync(file, CONFIG.replace('v1: 90', 'v1: -1'));
    await expect(started()).rejects.toBeInstanceOf(ConfigError);
    expect(tables).toEqual([]);
  });
});

describe('a reload', () => {
  test('of the same content touches nothing', async () => {
    const pipeline = await started();
    expect(await pipeline.reload()).toBe(true);
    expect(tables).toHaveLength(1);
  });

  test('of an invalid file leaves everything and says why', async () => {
    const pipeline = await started(logger());
    const before = pipeline.inForce;
    writeFileSync(file, CONFIG.replace('split:', 'splti:'));
    expect(await pipeline.reload()).toBe(false);
    expect(pipeline.inForce).toBe(before);
    expect(pipeline.lastReload.successful).toBe(false);
    expect(log).toMatch(/refused, the last good one stays[\s\S]*splti/);
  });

  test('whose addresses cannot be bound leaves everything and says which', async () => {
    const pipeline = await started(logger());
    const before = pipeline.inForce;
    writeFileSync(file, CONFIG.replace('v1: 90', 'v1: 80'));
    refusal = new ListenError('E_LISTEN_EADDRINUSE', '80', '0.0.0.0:80');
    expect(await pipeline.reload()).toBe(false);
    expect(pipeline.inForce).toBe(before);
    expect(log).toContain('listener 80: 0.0.0.0:80 is in use');
    refusal = undefined;
    expect(await pipeline.reload()).toBe(true);
    expect(weights(pipeline.inForce.table)).toContain(80);
  });

  test('asked for while another waits is the same one; changes never overlap', async () => {
    const pipeline = await started();
    writeFileSync(file, CONFIG.replace('v1: 90', 'v1: 80'));
    const burst = Array.from({ length: 20 }, () => pipeline.reload());
    expect(new Set(burst).size).toBe(1);
    await Promise.all([
      ...burst,
      pipeline.changeOverlay(
        () => SHIFTED,
        () => undefined,
      ),
      pipeline.reload(),
    ]);
    expect(mostInApply).toBe(1);
  });

  test('after close does nothing', async () => {
    const pipeline = await started();
    await pipeline.close();
    writeFileSync(file, CONFIG.replace('v1: 90', 'v1: 80'));
    expect(await pipeline.reload()).toBe(false);
    expect(tables).toHaveLength(1);
  });
});

describe('a change of the overlay', () => {
  test('is durable before it is in force', async () => {
    const pipeline = await started();
    const order: string[] = [];
    await pipeline.changeOverlay(
      () => SHIFTED,
      () => order.push(`persisted after ${tables.length} applied`),
    );
    expect(order).toEqual(['persisted after 1 applied']);
    expect(tables).toHaveLength(2);
    expect(pipeline.inForce.overlay).toBe(SHIFTED);
  });

  test('that cannot be made durable never reaches the data plane', async () => {
    const pipeline = await started();
    const full = new Error('disk full');
    const change = pipeline.changeOverlay(
      () => SHIFTED,
      () => {
        throw full;
      },
    );
    await expect(change).rejects.toBe(full);
    expect(tables).toHaveLength(1);
    expect(pipeline.inForce.overlay).toBe(EMPTY_OVERLAY);
  });

  test('that the data plane refuses is taken back from the state', async () => {
    const pipeline = await started();
    const persisted: Overlay[] = [];
    refusal = new Error('worker died');
    await expect(
      pipeline.changeOverlay(
        () => SHIFTED,
        (overlay) => persisted.push(overlay),
      ),
    ).rejects.toBe(refusal);
    expect(persisted).toEqual([SHIFTED, EMPTY_OVERLAY]);
    expect(pipeline.inForce.overlay).toBe(EMPTY_OVERLAY);
  });

  test('stays in force over a reload', async () => {
    const pipeline = await started();
    await pipeline.changeOverlay(
      () => SHIFTED,
      () => undefined,
    );
    writeFileSync(file, CONFIG.replace('v1: 90', 'v1: 80'));
    expect(await pipeline.reload()).toBe(true);
    expect(weights(pipeline.inForce.table)).not.toContain(80);
  });
});

describe('resources that are applied', () => {
  const entry = (name: string): Manifest => ({
    kind: 'ServiceEntry',
    namespace: 'default',
    name,
    by: 'ana',
    at: '2026-01-02T03:04:05Z',
    text: `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec: { hosts: [${name}.default.svc.cluster.local], ports: [{ number: 80, name: http }], resolution: STATIC, endpoints: [{ address: 127.0.0.1 }] }
`,
  });
  const names = (pipeline: Pipeline): string[] => pipeline.inForce.base.serviceEntries.map(({ metadata }) => metadata.name);
  const add =
    (name: string) =>
    (now: { readonly manifests: readonly Manifest[] }): readonly Manifest[] => [...now.manifests, entry(name)];

  test('and files that change at the same time are both in force', async () => {
    const pipeline = await started();
    const stored: string[][] = [];
    const changes = Array.from({ length: 8 }, (_, index) => {
      writeFileSync(file, CONFIG.replace('v1: 90', `v1: ${index}`));
      const applied = pipeline.changeManifests(add(`a${index}`), (manifests) => stored.push(manifests.map(({ name }) => name)), 'ana');
      return [applied, pipeline.reload()];
    });
    await Promise.all(changes.flat());
    expect(names(pipeline)).toEqual(['reviews', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7']);
    expect(stored.at(-1)).toHaveLength(8);
    expect(weights(pipeline.inForce.table)).toContain(7);
    await pipeline.reload();
    expect(names(pipeline)).toHaveLength(9);
  });

  test('that the data plane refuses are taken back from what is stored', async () => {
    const pipeline = await started();
    const stored: string[][] = [];
    refusal = new ListenError('E_LISTEN_EADDRINUSE', '80', '127.0.0.1:80');
    const change = pipeline.changeManifests(add('a'), (manifests) => stored.push(manifests.map(({ name }) => name)), 'ana');
    await expect(change).rejects.toBe(refusal);
    expect([stored, names(pipeline)]).toEqual([[['a'], []], ['reviews']]);
  });

  test('that cannot be stored change nothing', async () => {
    const pipeline = await started();
    const full = new Error('full');
    const persist = (): void => {
      throw full;
    };
    await expect(pipeline.changeManifests(add('a'), persist, 'ana')).rejects.toBe(full);
    expect(names(pipeline)).toEqual(['reviews']);
    expect(tables).toHaveLength(1);
  });

  test('do not make a refused reload a good one', async () => {
    const pipeline = await started();
    writeFileSync(file, CONFIG.replace('split:', 'splti:'));
    await pipeline.reload();
    await pipeline.changeManifests(add('a'), () => undefined, 'ana');
    expect(pipeline.lastReload.successful).toBe(false);
    expect(pipeline.refused?.diagnostics).toMatchObject([{ code: 'E_UNKNOWN_KEY', file }]);
    expect(names(pipeline)).toEqual(['reviews', 'a']);
  });
});
