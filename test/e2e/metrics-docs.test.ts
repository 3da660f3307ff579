/** docs/metrics.md: its YAML is valid, its links lead somewhere, and it says something of every field and type. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadText } from '../../src/config/load.ts';
import { metricTemplateSchema, webhookSchema } from '../../src/config/serin/metric-schema.ts';
import { WEBHOOK_TYPES } from '../../src/config/serin/metric-spec.ts';
import { brokenLinks, codeBlocks } from '../helpers/markdown.ts';
import { ROOT } from '../helpers/moved-clone.ts';

const FILE = join(ROOT, 'docs/metrics.md');
const TEXT = await readFile(FILE, 'utf8');

test('its YAML is valid', () => {
  const [whole, ...providers] = codeBlocks(TEXT).filter((block) => block.language === 'yaml');
  const { diagnostics, snapshot } = loadText('docs/metrics.md', whole?.text ?? '', { PATH: '/usr/bin:/bin' });
  // The service is described elsewhere.
  expect(diagnostics.map(({ code }) => code)).toEqual(['W_UNKNOWN_HOST']);
  expect(snapshot.metricTemplates).toHaveLength(1);
  expect(snapshot.rollouts[0]?.spec.webhooks).toHaveLength(2);
  expect(providers).toHaveLength(2);
  for (const { text } of providers) {
    const spec = text.replaceAll(/^/gm, '  ');
    const head = 'apiVersion: serin.dev/v1alpha1\nkind: MetricTemplate\nmetadata: { name: a }\nspec:\n';
    expect(loadText('docs/metrics.md', `${head}${spec}`).diagnostics).toEqual([]);
  }
});

test('its links lead somewhere, and every field and type is there', async () => {
  expect(await brokenLinks(FILE)).toEqual([]);
  const words = [...Object.keys(metricTemplateSchema.shape), ...Object.keys(webhookSchema.shape), ...WEBHOOK_TYPES];
  expect(words.filter((word) => !TEXT.includes(word))).toEqual([]);
});
