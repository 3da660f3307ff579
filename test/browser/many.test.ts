/** A thousand services, all with traffic on the page's side of things: what is drawn does not grow with them. Figures are printed, not judged: machines differ. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SerinProcess } from '../helpers/serin-process.ts';
import { close, listen } from '../helpers/upstream.ts';
import { expectNoComplaints, HAS_CHROMIUM, launch, open } from './browser.ts';
import { startTraffic } from './traffic.ts';

const SERVICES = 1000;
const MEASURED_MS = 4000;

describe.skipIf(!HAS_CHROMIUM)('a thousand services', { timeout: 120_000 }, () => {
  let directory: string;
  let serin: SerinProcess;
  let browser: Browser;
  let server: Server;
  const traffic: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'serin-many-'));
    server = createServer((_request, response) => response.end('ok'));
    const port = await listen(server);
    const service = (n: number): string =>
      `  s${n}:\n    versions: { v1: http://127.0.0.1:${port}, v2: http://127.0.0.1:${port} }\n    routes: [{ split: { v1: 90, v2: 10 } }]\n`;
    writeFileSync(join(directory, 'services.yaml'), `services:\n${Array.from({ length: SERVICES }, (_, n) => service(n)).join('')}`);
    serin = await new SerinProcess([
      'up',
      '-f',
      join(directory, 'services.yaml'),
      '--state',
      join(directory, 'state'),
      '--mesh',
      '127.0.0.1:0',
      '--admin',
      '127.0.0.1:0',
    ]).ready();
    for (let n = 0; n < SERVICES; n += 50) traffic.push(startTraffic(serin.address('mesh'), `s${n}`, 20));
    browser = await launch();
  }, 120_000);

  afterAll(async () => {
    await browser.close();
    await Promise.all(traffic.map((stop) => stop()));
    await serin.end();
    await close(server);
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  test('only what is in sight is drawn', async () => {
    const { host, port } = serin.address('admin');
    const watched = await open(browser, `http://${host}:${port}`);
    const { page } = watched;
    await page.getByLabel('Or paste a token').fill(readFileSync(join(directory, 'state/token'), 'utf8').trim());
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: /^s0/ }).waitFor();
    const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
    for (const scrolls of [false, true]) {
      const { frames, nodes } = await page.evaluate(
        async ({ scrolls, forMs }) => {
          const from = performance.now();
          let frames = 0;
          while (performance.now() - from < forMs) {
            await new Promise(requestAnimationFrame);
            frames++;
            if (scrolls) scrollBy(0, 60);
          }
          return { frames, nodes: document.querySelectorAll('*').length };
        },
        { scrolls, forMs: MEASURED_MS },
      );
      console.log(
        `${SERVICES} services, ${scrolls ? 'scrolling' : 'at rest'}: ${Math.round((frames * 1000) / MEASURED_MS)} frames/s, ${nodes} elements`,
      );
      expect(nodes).toBeLessThan(2000);
    }
    console.log(`first contentful paint after ${Math.round(paint ?? 0)} ms`);
    // A row far down is there when it is scrolled to.
    await page.getByRole('searchbox').fill('s999');
    await page.getByRole('link', { name: /^s999/ }).waitFor();
    expectNoComplaints(watched);
  });
});
