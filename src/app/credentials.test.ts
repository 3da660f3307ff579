/** What a table names is read from where it says: certificates from Secrets, CAs from ConfigMaps as well. */
import { expect, test } from 'vitest';
import { authority } from '../../test/helpers/certificates.ts';
import { hosts, table } from '../../test/helpers/tables.ts';
import { systemClock } from '../base/clock.ts';
import { loadText } from '../config/load.ts';
import type { RoutingTable } from '../routing/table.ts';
import { CredentialStore } from './credentials.ts';
import { silentLogger } from './logger.ts';

test('the CA of clients comes from a ConfigMap, and stays the last good one', async () => {
  const ca = await authority();
  const configuration = (text: string): string =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: trusted }\ndata: { ca.crt: ${JSON.stringify(text)} }\n`;
  const site = {
    name: 'default/gw listeners[0]',
    serverNames: ['*'],
    certificates: [],
    clientCertificate: 'required',
    clientCa: 'configMap default/trusted',
    subjectAltNames: [],
    spkiSha256: [],
    certificateSha256: [],
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
  } as const;
  const served: RoutingTable = {
    ...table([], []),
    listeners: [{ name: '443', port: 443, gateways: [], tls: [site], virtualHosts: [hosts(['*'], [])] }],
  };
  const store = new CredentialStore({ clock: systemClock, logger: silentLogger(), onChange: () => undefined });
  const caOf = (text: string): string | undefined =>
    store.read(served, loadText('test.yaml', configuration(text)).snapshot).get('configMap default/trusted')?.ca;
  try {
    expect(caOf('junk')).toBeUndefined();
    expect(caOf(ca.cert)).toBe(ca.cert);
    expect(caOf('junk')).toBe(ca.cert);
  } finally {
    store.close();
  }
});
