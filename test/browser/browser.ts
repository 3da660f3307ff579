/**
 * Chromium for the tests of the dashboard: Debian's, or the one `SERIN_CHROMIUM` names. Every page is watched: a script error, something the
 * Content-Security-Policy refused, or a request to anything but Serin fails the test.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import AxeBuilder from 'axe-core';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { expect } from 'vitest';

export const CHROMIUM = process.env['SERIN_CHROMIUM'] ?? '/usr/bin/chromium';
export const HAS_CHROMIUM = existsSync(CHROMIUM);

/** Where a person can look at what was seen. */
const SCREENSHOTS = join(import.meta.dirname, '../../coverage/screenshots');

/** Nothing but what the test asks for: no look-ups, no updates, no experiments. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launch(): Promise<Browser> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  return chromium.launch({ executablePath: CHROMIUM, args: QUIET });
}

export class Watched {
  readonly page: Page;
  /** What should not have happened. */
  readonly complaints: string[] = [];
  /** While Serin is away on purpose, failed requests are no complaint. */
  mayFail = false;

  constructor(page: Page, origin: string) {
    this.page = page;
    page.on('pageerror', (error) => this.complaints.push(`error: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      // Answers of 4xx are shown in the page; the browser logs them as well.
      const isAnswer = /Failed to load resource/.test(message.text());
      if (!isAnswer && !this.mayFail) this.complaints.push(`console: ${message.text()}`);
    });
    page.on('dialog', (dialog) => {
      this.complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(`${origin}/`)) this.complaints.push(`request to ${request.url()}`);
    });
  }

  async shot(name: string): Promise<void> {
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  }
}

export async function open(browser: Browser, origin: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Watched> {
  const context: BrowserContext = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const watched = new Watched(await context.newPage(), origin);
  await watched.page.goto(`${origin}/`);
  return watched;
}

/** What axe-core finds wrong with the page as it is. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  // The page's own policy forbids scripts that are not Serin's; the test puts this one in from outside.
  await page.evaluate(AxeBuilder.source);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      readonly axe: {
        run(): Promise<{
          readonly violations: readonly {
            readonly id: string;
            readonly help: string;
            readonly nodes: readonly { readonly html: string }[];
          }[];
        }>;
      };
    };
    return (await axe.run()).violations.map(
      ({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`,
    );
  });
  return violations;
}

export function expectNoComplaints(watched: Watched): void {
  expect(watched.complaints).toEqual([]);
}
