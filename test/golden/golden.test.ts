import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { formatDiagnostic } from '../../src/base/diagnostic.ts';
import { loadText } from '../../src/config/load.ts';
import { compile } from '../../src/routing/compile.ts';
import { explain } from '../../src/routing/explain.ts';
import { Matcher } from '../../src/routing/matcher.ts';
import { printTable } from '../../src/routing/print.ts';
import type { RoutingTable } from '../../src/routing/table.ts';
import { envoyResources } from '../../src/xds/translate.ts';
import { type GoldenRequest, parseRequest } from '../helpers/golden-requests.ts';

/*
 * Each folder here is a case: `input.yaml` as a user writes it, `table.txt` what it compiles to, `diagnostics.txt` what is said about it,
 * `envoy.yaml` its routes and clusters for Envoy, and `requests.http`, requests with what becomes of them below each.
 * `UPDATE_GOLDEN=1 vitest run test/golden` rewrites all but the input; read the difference before committing it.
 *
 * A request is a line `METHOD URL [@LISTENER]` (the mesh listener where none is named), headers, and an empty line; lines with `#` are remarks.
 */

const ROOT = import.meta.dirname;
const UPDATE = process.env['UPDATE_GOLDEN'] === '1';

/** What happens to a request, one fact a line. */
function outcome(table: RoutingTable, matcher: Matcher, { listener, view }: GoldenRequest): readonly string[] {
  const explanation = explain(table, listener, view);
  const taken = explanation.rules.find(({ verdict }) => verdict === 'taken');
  expect(matcher.listener(listener)?.match(view)?.route.name, 'the matcher finds what explain says').toBe(taken?.name);
  const { answer, forward, requestHeaders, responseHeaders } = explanation;
  const lines = [
    taken === undefined ? explanation.outcome : `${taken.name} of ${taken.source.kind} ${taken.source.namespace}/${taken.source.name}`,
  ];
  if (answer !== undefined) {
    const flag = answer.responseFlag === undefined ? '' : ` ${answer.responseFlag}`;
    lines.push(`${answer.status}${flag}${answer.location === undefined ? '' : ` Location: ${answer.location}`}`);
  }
  for (const cluster of forward?.clusters ?? []) {
    lines.push(
      `${Math.round(cluster.share * 1000) / 10} % ${cluster.name}${cluster.missing === undefined ? '' : ` (missing: ${cluster.missing})`}`,
    );
    if (cluster.missingStatus !== undefined) lines.push(`  answered with ${cluster.missingStatus}`);
    if (cluster.authority !== view.authority) lines.push(`  host ${cluster.authority}`);
    if (cluster.path !== undefined) lines.push(`  path ${cluster.path}`);
    if (cluster.location !== undefined) lines.push(`  redirected to ${cluster.location}`);
    lines.push(
      ...cluster.requestHeaders.map((line) => `  request ${line}`),
      ...cluster.responseHeaders.map((line) => `  response ${line}`),
    );
  }
  const sent = view.query === '' ? view.path : `${view.path}?${view.query}`;
  if (forward !== undefined && forward.path !== sent) lines.push(`path ${forward.path}`);
  if (forward !== undefined && forward.timeoutMs > 0) lines.push(`timeout ${forward.timeoutMs} ms`);
  if (forward !== undefined && !forward.retries.startsWith('none but')) lines.push(`retries ${forward.retries}`);
  if (forward?.session !== undefined) lines.push(`session ${forward.session}`);
  if (forward?.fault !== undefined) lines.push(`fault ${forward.fault}`);
  for (const { name: copied, percent, authority } of forward?.mirrors ?? [])
    lines.push(`copy of ${percent} % to ${copied}, host ${authority}`);
  if (explanation.cors !== undefined) lines.push(`cors ${explanation.cors}`);
  lines.push(...requestHeaders.map((line) => `request ${line}`), ...responseHeaders.map((line) => `response ${line}`));
  return lines.map((line) => `=> ${line}`);
}

function check(file: string, actual: string): void {
  if (UPDATE) writeFileSync(file, actual);
  expect(actual).toBe(existsSync(file) ? readFileSync(file, 'utf8') : '');
}

const cases = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

describe.each(cases)('%s', (name) => {
  const folder = join(ROOT, name);
  const loaded = loadText('input.yaml', readFileSync(join(folder, 'input.yaml')));
  const { table, diagnostics } = compile(loaded.snapshot);

  test('says', () => {
    check(
      join(folder, 'diagnostics.txt'),
      [...loaded.diagnostics, ...diagnostics].map((diagnostic) => `${formatDiagnostic(diagnostic)}\n`).join(''),
    );
  });

  test('compiles to', () => {
    check(join(folder, 'table.txt'), printTable(table));
  });

  test('is for Envoy', () => {
    const addresses = new Map(table.listeners.map((listener) => [listener.name, { host: '127.0.0.1', port: listener.port }]));
    const { routes, clusters, unsupported } = envoyResources(table, { addresses });
    const remarks = unsupported.map((diagnostic) => `# ${formatDiagnostic(diagnostic).replaceAll('\n', '\n# ')}\n`).join('');
    check(join(folder, 'envoy.yaml'), `${remarks}${stringify({ routes, clusters }, { lineWidth: 0, aliasDuplicateObjects: false })}`);
  });

  test('routes', () => {
    const file = join(folder, 'requests.http');
    const matcher = new Matcher(table);
    const blocks = readFileSync(file, 'utf8').split(/\n###\n/);
    const actual = blocks.map((block) => {
      const request = parseRequest(block);
      return `${request.text}\n\n${outcome(table, matcher, request).join('\n')}\n`;
    });
    check(file, actual.join('\n###\n'));
  });
});
