/** The contract through the embedded proxy, over every protocol that clients may speak to it. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { loadText } from '../../src/config/load.ts';
import { createProxy } from '../../src/proxy/proxy.ts';
import { compile } from '../../src/routing/compile.ts';
import type { RoutingTable } from '../../src/routing/table.ts';
import { authority, type Issued } from '../helpers/certificates.ts';
import { TITLED } from './cases.ts';
import { checkCase } from './check.ts';
import { connectClient, PROTOCOLS, schemeOf, type Client, type Protocol } from './clients.ts';
import type { ContractCase } from './contract.ts';
import { servicesYaml } from './services.ts';
import { startVersions, type Versions } from './versions.ts';

let versions: Versions;
let ca: string;
let certificate: Issued;

beforeAll(async () => {
  versions = await startVersions();
  const issuer = await authority();
  ca = issuer.cert;
  certificate = await issuer.issue(['contract.test']);
});

afterAll(() => versions.close());

/** Ends TLS on every listener, for whatever name: which rule takes a request has nothing to do with it. */
function overTls(table: RoutingTable): RoutingTable {
  const site = {
    name: 'contract',
    serverNames: ['*'],
    certificates: ['contract'],
    clientCertificate: 'none',
    subjectAltNames: [],
    spkiSha256: [],
    certificateSha256: [],
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
  } as const;
  return { ...table, listeners: table.listeners.map((listener) => ({ ...listener, tls: [site] })) };
}

/** A client of each listener: `mesh`, or the port of a Gateway. */
async function serve({ config, exactIstio, isTrusted }: ContractCase, protocol: Protocol): Promise<(listener: string) => Promise<Client>> {
  const { snapshot, diagnostics } = loadText('contract.yaml', servicesYaml(versions.ports) + config);
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const { table } = compile(snapshot, { istioCompat: exactIstio === true, meshNamespaces: ['books'] });
  const errors: unknown[] = [];
  const proxy = createProxy({
    workers: 0,
    ...(isTrusted === true ? { trustedProxies: ['127.0.0.1'] } : {}),
    onInternalError: (error) => errors.push(error),
  });
  const clients = new Map<string, Promise<Client>>();
  onTestFinished(async () => {
    for (const client of clients.values()) (await client).close();
    await proxy.close();
    expect(errors).toEqual([]);
  });
  const bound = await proxy.apply(
    schemeOf(protocol) === 'https' ? overTls(table) : table,
    table.listeners.map(({ name }) => ({ listener: name, host: '127.0.0.1', port: 0 })),
    new Map([['contract', { certificate: certificate.cert, privateKey: certificate.key }]]),
  );
  return (listener) => {
    const port = bound.find((each) => each.listener === listener)?.port ?? 0;
    const client = clients.get(listener) ?? connectClient(protocol, port, ca);
    clients.set(listener, client);
    return client;
  };
}

describe.each(PROTOCOLS)('%s', (protocol) => {
  const asked = TITLED.filter(([, { isGrpc }]) => isGrpc !== true || protocol.startsWith('HTTP/2'));
  test.each(asked)('%s', async (_title, each) => {
    await checkCase(each, { protocol, clientOf: await serve(each, protocol), versions });
  });
});
