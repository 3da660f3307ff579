/** `serin up --mesh-for`: callers of a namespace have rules of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, startUpstream } from '../helpers/upstream.ts';

let directory: string;
let serin: SerinProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'serin-mesh-for-'));
});

afterEach(async () => {
  await serin?.end();
  rmSync(directory, { recursive: true, force: true });
});

function service(name: string, namespace: string, port: number): string {
  return `---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { ports: [{ name: http, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}, namespace: ${namespace}, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: http, port: ${port} }]
endpoints: [{ addresses: [127.0.0.1] }]
`;
}

test('a consumer route holds for callers of its namespace, whose own services have the bare names; others notice nothing', async () => {
  const [theirs, ours, mirror] = await Promise.all([startUpstream('default'), startUpstream('books'), startUpstream('consumer')]);
  onTestFinished(async () => void (await Promise.all([theirs.close(), ours.close(), mirror.close()])));
  const file = join(directory, 'config.yaml');
  writeFileSync(
    file,
    `${service('reviews', 'default', theirs.port)}${service('reviews', 'books', ours.port)}${service('ratings', 'default', theirs.port)}${service('stub', 'books', mirror.port)}---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: consumer, namespace: books }
spec:
  parentRefs: [{ group: "", kind: Service, name: ratings, namespace: default }]
  rules: [{ backendRefs: [{ name: stub, port: 80 }] }]
`,
  );
  const flags = ['--state', join(directory, 'state'), '--mesh', '127.0.0.1:0', '--mesh-for', 'books=127.0.0.1:0', '--admin', '127.0.0.1:0'];
  const started = new SerinProcess(['up', '-f', file, ...flags]);
  serin = started;
  await started.ready();
  const asked = async (listener: string, host: string): Promise<string> =>
    (await ask(started.address(listener), { headers: { host } })).body;
  expect(await asked('mesh', 'ratings')).toBe('default');
  expect(await asked('mesh/books', 'ratings.default')).toBe('consumer');
  expect(await asked('mesh', 'reviews')).toBe('default');
  expect(await asked('mesh/books', 'reviews')).toBe('books');
  await started.printed(/mesh\/books .*services by name, for callers of books/);
});
