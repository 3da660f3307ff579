/** examples/monitoring: what it names is what a running Serin exports, and Prometheus takes the alerts. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadText } from '../../src/config/load.ts';
import { notificationSchema } from '../../src/config/serin/notification.ts';
import { NOTIFIED_EVENTS } from '../../src/config/serin/notification-spec.ts';
import { brokenLinks, codeBlocks } from '../helpers/markdown.ts';
import { ROOT } from '../helpers/moved-clone.ts';
import { SerinProcess } from '../helpers/serin-process.ts';
import { startUpstream, type Upstream } from '../helpers/upstream.ts';

const FOLDER = join(ROOT, 'examples/monitoring');
const Alerts = z.object({ groups: z.array(z.object({ rules: z.array(z.object({ expr: z.string() })) })) });
const Dashboard = z.object({ panels: z.array(z.object({ id: z.number(), targets: z.array(z.object({ expr: z.string() })) })) });

let directory: string;
let upstream: Upstream;
let daemon: SerinProcess;
/** Names of families, and of the samples of histograms. */
let exported: Set<string>;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'serin-monitoring-'));
  upstream = await startUpstream('v1');
  const config = join(directory, 'config.yaml');
  writeFileSync(config, `services: { reviews: { versions: { v1: http://127.0.0.1:${upstream.port} }, routes: [{ to: v1 }] } }\n`);
  daemon = new SerinProcess(['up', '-f', config, '--state', join(directory, 'state'), '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0']);
  await daemon.ready();
  const { host, port } = daemon.address('admin');
  const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
  const families = [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].map(([, name = '', type = '']) => ({ name, type }));
  exported = new Set(
    families.flatMap(({ name, type }) => (type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name])),
  );
});

afterAll(async () => {
  await daemon.end();
  await upstream.close();
  rmSync(directory, { recursive: true, force: true });
});

const alertExpressions = (): string[] =>
  Alerts.parse(parse(readFileSync(join(FOLDER, 'alerts.yml'), 'utf8'))).groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
const dashboard = (): z.infer<typeof Dashboard> =>
  Dashboard.parse(JSON.parse(readFileSync(join(FOLDER, 'grafana-dashboard.json'), 'utf8')));

/** Metrics of Serin and of its process that an expression names. */
const metricsIn = (expression: string): string[] => expression.match(/\b(?:istio|serin|process)_\w+/g) ?? [];

describe('examples/monitoring', () => {
  test.each([
    ['alerts', alertExpressions],
    ['dashboard', () => dashboard().panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))],
  ])('every metric of the %s is exported', (_what, expressions) => {
    const named = new Set(expressions().flatMap(metricsIn));
    expect(named.size).toBeGreaterThan(5);
    expect([...named].filter((name) => !exported.has(name))).toEqual([]);
  });

  test('panels have ids of their own', () => {
    const ids = dashboard().panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  // Where Prometheus is installed; .ci/run does so.
  test.skipIf(spawnSync('promtool', ['--version']).status !== 0)('promtool takes the alerts, the configuration and the queries', () => {
    expect(execFileSync('promtool', ['check', 'config', join(FOLDER, 'prometheus.yml')], { encoding: 'utf8' })).toMatch(
      /SUCCESS: \d+ rules found/,
    );
    const rules = dashboard()
      .panels.flatMap(({ targets }) => targets)
      .map(({ expr }, index) => ({ record: `dashboard:query${index}`, expr: expr.replaceAll('$__rate_interval', '1m') }));
    const file = join(directory, 'queries.yml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })).toContain('SUCCESS');
  });

  test('links lead somewhere', async () => {
    expect(await brokenLinks(join(FOLDER, 'README.md'))).toEqual([]);
  });
});

describe('docs/notifications.md', () => {
  const file = join(ROOT, 'docs/notifications.md');
  const text = readFileSync(file, 'utf8');

  test('its YAML is valid', () => {
    const yaml = codeBlocks(text).find(({ language }) => language === 'yaml');
    const { diagnostics, snapshot } = loadText(file, yaml?.text ?? '');
    expect(diagnostics).toEqual([]);
    expect(snapshot.notifications).toHaveLength(2);
  });

  test('its links lead somewhere, and every field and event is there', async () => {
    expect(await brokenLinks(file)).toEqual([]);
    expect([...Object.keys(notificationSchema.shape), ...NOTIFIED_EVENTS].filter((word) => !text.includes(`\`${word}\``))).toEqual([]);
  });
});
