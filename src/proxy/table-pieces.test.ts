import { expect, test } from 'vitest';
import { loadText } from '../config/load.ts';
import { compile } from '../routing/compile.ts';
import { fromPieces, inPieces } from './table-pieces.ts';

const SERVICE = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: app }
spec: { hosts: [app], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: STATIC, endpoints: [{ address: 127.0.0.1 }] }
`;

function virtualService(name: string, rules: number): string {
  const list = Array.from(
    { length: rules },
    (_, index) => `{ match: [{ uri: { prefix: /r${index}/ } }], route: [{ destination: { host: app${index} } }] }`,
  );
  return `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name} }\nspec: { hosts: [${name}.example], http: [${list.join(', ')}] }\n`;
}

test.each([
  ['nothing but a service', ''],
  ['one host with many rules', virtualService('a', 1234)],
  ['many hosts with a few rules each', Array.from({ length: 300 }, (_, index) => virtualService(`h${index}`, 1 + (index % 3))).join('')],
  ['both, one after the other', virtualService('a', 401) + virtualService('b', 1) + virtualService('c', 400) + virtualService('d', 2)],
])('%s: a table is put together as it was taken apart', (_what, more) => {
  const { table } = compile(loadText('a.yaml', SERVICE + more).snapshot);
  const { rest, pieces } = inPieces(table);
  expect(fromPieces(structuredClone(rest), structuredClone(pieces))).toEqual(table);
  for (const piece of pieces) {
    const size =
      piece.kind === 'clusters'
        ? piece.clusters.length
        : piece.kind === 'routes'
          ? piece.routes.length
          : piece.virtualHosts.flatMap(({ routes }) => routes).length;
    expect(size).toBeLessThanOrEqual(400);
  }
});
