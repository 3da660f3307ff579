/** docs/rollouts.md: its YAML is valid, its links lead somewhere, its verbs are there. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadText } from '../../src/config/load.ts';
import { VERBS } from '../../src/rollout/verbs.ts';
import { brokenLinks, codeBlocks } from '../helpers/markdown.ts';
import { ROOT } from '../helpers/moved-clone.ts';

const FILE = join(ROOT, 'docs/rollouts.md');
const TEXT = await readFile(FILE, 'utf8');

test('its YAML is valid', () => {
  const examples = codeBlocks(TEXT).filter((block) => block.language === 'yaml');
  expect(examples.length).toBeGreaterThanOrEqual(5);
  for (const { text } of examples) {
    const { diagnostics, snapshot } = loadText('docs/rollouts.md', text);
    // Some release services that are described elsewhere.
    const codes = diagnostics.map(({ code }) => code);
    expect(codes.filter((code) => code !== 'W_UNKNOWN_HOST' && code !== 'W_UNKNOWN_SERVICE')).toEqual([]);
    expect(snapshot.rollouts.length).toBeGreaterThan(0);
  }
});

test('its links lead somewhere, and every verb is explained', async () => {
  expect(await brokenLinks(FILE)).toEqual([]);
  for (const verb of VERBS) expect(TEXT).toContain(`\`${verb}`);
});
