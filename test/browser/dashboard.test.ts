/** The dashboard in a real browser, on a real Serin that carries real traffic to real upstreams. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../../examples/bookinfo/demo/ports.ts';
import { replaceFile } from '../helpers/replace-file.ts';
import { MAIN, SerinProcess } from '../helpers/serin-process.ts';
import { close, listen } from '../helpers/upstream.ts';
import { accessibilityProblems, CHROMIUM, expectNoComplaints, HAS_CHROMIUM, launch, open, type Watched } from './browser.ts';
import { startTraffic } from './traffic.ts';

if (!HAS_CHROMIUM)
  console.warn(`no browser at ${CHROMIUM}: the dashboard is not tested (apt-get install chromium, or SERIN_CHROMIUM=PATH)`);

/** Something a page must show as text wherever it comes from. */
const MARKUP = '<img src=x onerror=alert(1)>';

describe.skipIf(!HAS_CHROMIUM)('dashboard', { timeout: 120_000 }, () => {
  let directory: string;
  let serin: SerinProcess;
  let admin: string;
  let token: string;
  let browser: Browser | undefined;
  let stopTraffic: (() => Promise<void>) | undefined;
  const servers: Server[] = [];
  const ports: Record<string, number> = {};
  let watched: Watched | undefined;
  const chromium = (): Browser => browser ?? expect.fail('the browser did not start');

  const args = (adminAddress: string): string[] => [
    'up',
    '-f',
    join(directory, 'config'),
    '--state',
    join(directory, 'state'),
    '--mesh',
    '127.0.0.1:0',
    '--admin',
    adminAddress,
  ];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'serin-dashboard-'));
    mkdirSync(join(directory, 'config'));
    for (const [name, status] of Object.entries({ v1: 200, v2: 200, v3: 500 })) {
      const server = createServer((_request, response) => response.writeHead(status).end(name));
      servers.push(server);
      ports[name] = await listen(server);
    }
    write('services.yaml', services());
    write('rollout.yaml', rollout('v2'));
    // Not one the kernel chooses: it would be anybody's while Serin is away.
    const address = `127.0.0.1:${(await freePorts(22_080)).admin}`;
    admin = `http://${address}`;
    serin = await new SerinProcess(args(address)).ready();
    token = readFileSync(join(directory, 'state/token'), 'utf8').trim();
    stopTraffic = startTraffic(serin.address('mesh'), 'reviews', 200);
    browser = await launch();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
    await stopTraffic?.();
    await serin.end();
    await Promise.all(servers.map((server) => close(server)));
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  afterEach(async () => {
    const last = watched;
    watched = undefined;
    if (last === undefined) return;
    await last.page.context().close();
    expectNoComplaints(last);
  });

  function write(file: string, text: string): void {
    replaceFile(join(directory, 'config', file), text);
  }

  function services(): string {
    const versions = Object.entries(ports).map(([name, port]) => `      ${name}: http://127.0.0.1:${port}\n`);
    return `services:\n  reviews:\n    versions:\n${versions.join('')}    routes:\n      - match: { headers: { end-user: jason } }\n        to: v2\n      - split: { v1: 100 }\n  quiet:\n    versions: { v1: http://127.0.0.1:${ports['v1'] ?? 0} }\n`;
  }

  function rollout(canary: string): string {
    return `apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: { name: reviews }
spec:
  host: reviews
  stable: v1
  canary: ${canary}
  paused: true
  strategy:
    canary:
      steps: [{ setWeight: 20 }, { analysis: { atLeast: 2s } }, { pause: {} }, { setWeight: 100 }, { bake: { duration: 2s } }]
  analysis: { warmup: 1s, errorBudget: 0.1, latencyTolerance: 3, latencyBudget: 10 }
`;
  }

  const command = async (...words: readonly string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...words, '--state', join(directory, 'state')]);
    return stdout;
  };

  /** Signed in, at a page. */
  const at = async (hash: string, options?: Parameters<typeof open>[2]): Promise<Watched> => {
    watched = await open(chromium(), admin, options);
    const { page } = watched;
    await page.getByLabel('Or paste a token').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    await page.goto(`${admin}/${hash}`);
    return watched;
  };

  const press = async (page: Page, button: string, reason: string): Promise<void> => {
    await page.getByRole('button', { name: button, exact: true }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Reason, for the record').fill(reason);
    await dialog.getByRole('button', { name: button.replace('…', ''), exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
  };

  test('nobody gets in without a token, and the token is nowhere afterwards', async () => {
    watched = await open(chromium(), admin);
    const { page } = watched;
    await page.getByLabel('Or paste a token').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('This token is not valid.').waitFor();
    await watched.shot('sign-in');
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByLabel('Or paste a token').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    expect(await page.content()).not.toContain(token);
    expect(
      await page.evaluate(() => [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href].join()),
    ).not.toContain(token);
    await page.reload();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Or paste a token').waitFor();
    await page.reload();
    await page.getByLabel('Or paste a token').waitFor();
  });

  test('the live picture: what is sent shows up, by version', async () => {
    const { page, shot } = bound(await at('#/'));
    const reviews = page.getByRole('listitem').filter({ has: page.getByRole('link', { name: /^reviews/ }) });
    await reviews.getByText('v1').first().waitFor();
    await expect.poll(async () => (await reviews.first().innerText()).match(/([\d.]+)\/s/)?.[1], { timeout: 20_000 }).not.toBe('0');
    const quiet = page.getByRole('listitem').filter({ has: page.getByRole('link', { name: /^quiet/ }) });
    await expect.poll(() => quiet.first().innerText()).toContain('0/s');
    // From proxy to pixel.
    const { host, port } = serin.address('mesh');
    const from = Date.now();
    const burst = startTraffic({ host, port }, 'quiet', 100);
    await expect.poll(() => quiet.first().innerText(), { timeout: 20_000, interval: 20 }).toMatch(/[1-9][\d.]*\/s/);
    console.log(`from proxy to pixel: ${Date.now() - from} ms`);
    await burst();
    await shot('traffic');
    await page.getByRole('searchbox').fill('rev');
    await expect.poll(() => quiet.count()).toBe(0);
  });

  test('a release advances, waits for a person, and is promoted with the reason on record', async () => {
    const { page, shot } = bound(await at('#/releases/default/reviews'));
    await press(page, 'Start…', 'ticket 4711');
    await page.locator('.steps .now').filter({ hasText: 'pause' }).waitFor({ timeout: 60_000 });
    await page.getByText('Paused', { exact: true }).first().waitFor();
    // Where we are, what is known, and why.
    expect(await page.locator('.evidence .chart canvas').count()).toBeGreaterThanOrEqual(4);
    expect(await page.locator('.evidence').innerText()).toMatch(/error rate: canary .* % of [\d,]+ requests/i);
    await shot('release');
    await press(page, 'Promote…', `looks good ${MARKUP}`);
    await page.getByText('Healthy', { exact: true }).first().waitFor({ timeout: 60_000 });
    const decisions = await page.locator('.decisions').innerText();
    expect(decisions).toContain('ticket 4711');
    expect(decisions).toContain(MARKUP);
    expect(await page.locator('main img').count()).toBe(0);
    await page.goto(`${admin}/#/activity`);
    await page.getByText(MARKUP).first().waitFor();
    await shot('activity');
  });

  test('a bad release is seen to go back, with its proof', async () => {
    const { page, shot } = bound(await at('#/releases/default/reviews'));
    write('rollout.yaml', rollout('v3').replace('stable: v1', 'stable: v2'));
    await page.getByText('v3', { exact: false }).first().waitFor({ timeout: 30_000 });
    await press(page, 'Start…', '');
    await page.getByText('Degraded', { exact: true }).first().waitFor({ timeout: 60_000 });
    expect(await page.locator('.message').first().innerText()).toMatch(/error rate is worse than tolerated: canary \d+/);
    expect(await page.locator('.decisions').innerText()).toContain('rollback');
    await shot('rolled-back');
  });

  test('abort takes everybody back', async () => {
    const { page } = await at('#/releases/default/reviews');
    write('rollout.yaml', rollout('v1').replace('stable: v1', 'stable: v2'));
    await page.getByText('v1 is released', { exact: false }).waitFor({ timeout: 30_000 });
    await press(page, 'Start…', '');
    await page
      .locator('.steps .now')
      .filter({ hasText: /setWeight|analysis|pause/ })
      .waitFor();
    await page.getByRole('button', { name: 'Preview link…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Make the link' }).click();
    const link = await page.getByRole('group', { name: 'Preview link' }).locator('input[readonly]').inputValue();
    expect(link).toMatch(/serin-preview=/);
    await press(page, 'Abort…', 'not today');
    await page.getByText('Degraded', { exact: true }).first().waitFor({ timeout: 30_000 });
    expect(await page.locator('.decisions').innerText()).toContain('not today');
  });

  test('explain: the rule that wins, those that lose, and where a user goes', async () => {
    const { page, shot } = bound(await at('#/explain'));
    await page.getByLabel('A request, as a URL or a curl command').fill(`curl -H 'end-user: ${MARKUP}' http://reviews/a`);
    await page.getByRole('button', { name: 'Explain', exact: true }).click();
    await page.getByText('does not match').first().waitFor();
    expect(await page.locator('.rules').innerText()).toContain(MARKUP);
    expect(await page.locator('main img').count()).toBe(0);
    await page.locator('select[name=service]').selectOption('reviews');
    await page.getByLabel('User', { exact: true }).fill('jason');
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.getByText('100 % to v2').waitFor();
    await shot('explain');
    await page.getByLabel('A request, as a URL or a curl command').fill('curl -H nonsense http://reviews/');
    await page.getByRole('button', { name: 'Explain', exact: true }).click();
    await page.getByText("expected a header as 'name: value'").waitFor();
  });

  test('configuration: a mistake in a file is shown at its line while the last good one serves', async () => {
    const { page, shot } = bound(await at('#/configuration'));
    await page.getByRole('link', { name: /VirtualService reviews/ }).click();
    await page.getByText('end-user').first().waitFor();
    await shot('configuration');
    write('broken.yaml', 'services: { broken: { versions: { v1: nowhere } } }\n');
    await page.goto(`${admin}/#/configuration`);
    await page.getByText('are refused', { exact: false }).waitFor({ timeout: 30_000 });
    expect(await page.getByRole('alert').innerText()).toMatch(/broken\.yaml:1/);
    await shot('configuration-refused');
    rmSync(join(directory, 'config/broken.yaml'));
    await page.getByText('are refused', { exact: false }).waitFor({ state: 'detached', timeout: 30_000 });
  });

  test.each([
    ['light', 1400],
    ['dark', 1400],
    ['light', 360],
    ['dark', 3840],
  ] as const)('accessible, and no wider than its window: %s, %s px', async (colorScheme, width) => {
    const { page, shot } = bound(await at('#/', { colorScheme, viewport: { width, height: 900 } }));
    for (const [name, hash] of Object.entries({
      traffic: '#/',
      service: '#/services/reviews.default.svc.cluster.local',
      releases: '#/releases',
      release: '#/releases/default/reviews',
      explain: '#/explain',
      configuration: '#/configuration',
      activity: '#/activity',
    })) {
      await page.goto(`${admin}/${hash}`);
      await page.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' });
      await page.waitForTimeout(1500);
      const widerBy = await page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));
      expect({ name, problems: await accessibilityProblems(page), widerBy }).toEqual({ name, problems: [], widerBy: 0 });
      await shot(`${name}-${colorScheme}-${width}`);
    }
  });

  test('by keyboard alone', async () => {
    const { page } = await at('#/');
    await page.keyboard.press('Tab');
    await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to content');
    await page.keyboard.press('g');
    await page.keyboard.press('r');
    await page.getByRole('heading', { name: 'Releases' }).waitFor();
    await page.getByRole('link', { name: /reviews/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: /Retry|Start/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('BUTTON');
  });

  test('serin open signs in by a link that works once', async () => {
    const link = (await command('open', '--print')).trim();
    expect(link).not.toContain(token);
    watched = await open(chromium(), admin);
    const { page } = watched;
    await page.goto(link);
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    expect(page.url()).not.toContain('code=');
    const again = await open(chromium(), admin);
    await again.page.goto(link);
    await again.page.getByText('has been used or is too old').waitFor();
    await again.page.context().close();
  });

  test('the page says when it is not live, keeps what it knew, and comes back', async () => {
    const { page, shot } = bound(await at('#/'));
    if (watched !== undefined) watched.mayFail = true;
    await page.getByRole('link', { name: /^reviews/ }).waitFor();
    serin.signal('SIGSTOP');
    await page.getByText('The connection to Serin is lost').waitFor({ timeout: 30_000 });
    expect(await page.getByRole('link', { name: /^reviews/ }).count()).toBe(1);
    await shot('lost');
    serin.signal('SIGCONT');
    await page.getByText('The connection to Serin is lost').waitFor({ state: 'detached', timeout: 60_000 });
    await page.getByRole('link', { name: /^reviews/ }).waitFor();
    // Sessions end with the process: who restarts it is asked again.
    serin.signal('SIGKILL');
    await serin.finished;
    await page.getByText('The connection to Serin is lost').waitFor({ timeout: 30_000 });
    serin = await new SerinProcess(args(admin.replace('http://', ''))).ready();
    await page.getByLabel('Or paste a token').waitFor({ timeout: 60_000 });
  });
});

/** `shot` of its own. */
function bound(watched: Watched): { readonly page: Page; readonly shot: (name: string) => Promise<void> } {
  return { page: watched.page, shot: (name) => watched.shot(name) };
}
