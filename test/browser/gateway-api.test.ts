/** Kinds of the Gateway API in the dashboard: what their status says stands beside their text. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SerinProcess } from '../helpers/serin-process.ts';
import { accessibilityProblems, expectNoComplaints, HAS_CHROMIUM, launch, open } from './browser.ts';

const YAML = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: front }
spec:
  gatewayClassName: serin
  listeners: [{ name: web, port: 8000, protocol: HTTP }]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec: { servers: [{ port: { number: 8001, name: http, protocol: HTTP }, hosts: ['*'] }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: reviews }
spec:
  parentRefs: [{ name: front }]
  rules: [{ backendRefs: [{ name: gone, port: 80 }] }]
---
apiVersion: v1
kind: Namespace
metadata: { name: books }
`;

describe.skipIf(!HAS_CHROMIUM)('the Gateway API in the dashboard', { timeout: 120_000 }, () => {
  let directory: string;
  let serin: SerinProcess;
  let browser: Browser | undefined;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'serin-dashboard-gateway-api-'));
    const file = join(directory, 'config.yaml');
    writeFileSync(file, YAML);
    const listen = ['--listen', '8000=127.0.0.1:0', '--listen', '8001=127.0.0.1:0', '--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    serin = await new SerinProcess(['up', '-f', file, '--state', join(directory, 'state'), ...listen]).ready();
    browser = await launch();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await serin.end();
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  test('a route with a bad reference says so; Gateways of both groups, and what belongs to no namespace, have pages of their own', async () => {
    const { host, port } = serin.address('admin');
    const admin = `http://${host}:${port}`;
    const watched = await open(browser ?? expect.fail('the browser did not start'), admin);
    const { page } = watched;
    await page.getByLabel('Or paste a token').fill(readFileSync(join(directory, 'state/token'), 'utf8').trim());
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    await page.goto(`${admin}/#/configuration`);
    await page.getByRole('link', { name: /HTTPRoute reviews/ }).click();
    const conditions = page.getByRole('region', { name: 'Conditions' });
    const row = conditions.getByRole('row').filter({ hasText: 'BackendNotFound' });
    await row.waitFor();
    expect(await row.getByRole('cell').allTextContents()).toEqual([
      'parent Gateway front',
      'False',
      'BackendNotFound',
      expect.stringContaining('gone'),
      expect.stringMatching(/\d/),
    ]);
    expect(await row.locator('td.bad').count()).toBe(1);
    expect(await conditions.getByRole('row').filter({ hasText: 'Accepted' }).first().locator('td.bad').count()).toBe(0);
    expect(await accessibilityProblems(page)).toEqual([]);
    await watched.shot('gateway-api-route');
    const gateways = page.getByRole('link', { name: /Gateway front/ });
    const addresses = await Promise.all([0, 1].map((index) => gateways.nth(index).getAttribute('href')));
    expect(addresses).toEqual(
      ['gateways.networking.istio.io', 'gateways.gateway.networking.k8s.io'].map((kind) => `#/configuration/${kind}/default/front`),
    );
    await gateways.nth(1).click();
    await conditions.getByRole('row').filter({ hasText: 'listener web' }).first().waitFor();
    await gateways.nth(0).click();
    await conditions.waitFor({ state: 'detached' });
    await page.getByRole('link', { name: /Namespace books/ }).click();
    await page.getByRole('heading', { name: 'books', exact: true }).waitFor();
    await page.getByText('kind: Namespace').waitFor();
    await page.context().close();
    expectNoComplaints(watched);
  });
});
