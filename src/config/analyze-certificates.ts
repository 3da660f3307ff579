/**
 * One certificate in several Gateways (Istio IST0138): a browser that has an HTTP/2 connection for one of its names uses it for the others as well, and
 * they are another Gateway's. Envoy answers 404 there; Serin 421, which makes clients come again on a connection of its own.
 */
import type { Place } from './report.ts';
import { show } from './report.ts';
import type { Gateway, ServerTlsSettings } from './resources.ts';
import { endsTls } from './gateway-traffic.ts';
import type { Path } from './yaml-node.ts';

export function analyzeCertificates(gateways: readonly Gateway[], placeOf: (gateway: Gateway, path: Path) => Place | undefined): void {
  const owners = new Map<string, Gateway>();
  for (const gateway of gateways) {
    const { namespace, name } = gateway.metadata;
    const selector = Object.entries(gateway.spec.selector ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [index, server] of (gateway.spec.servers ?? []).entries()) {
      if (server.tls === undefined || !endsTls(server)) continue;
      for (const { field, certificate } of certificatesOf(server.tls)) {
        // Secrets are of the Gateway's namespace, files of the machine.
        const scope = field[0] === 'serverCertificate' || field[0] === 'tlsCertificates' ? '' : namespace;
        const key = JSON.stringify([selector, server.port.number, scope, certificate]);
        const owner = owners.get(key);
        if (owner === undefined) owners.set(key, gateway);
        else if (owner !== gateway) {
          placeOf(gateway, ['spec', 'servers', index, 'tls', ...field])?.warn(
            'W_DUPLICATE_CERTIFICATE',
            `Gateway ${owner.metadata.namespace}/${owner.metadata.name} shows certificate ${show(certificate)}, too: clients will use its HTTP/2 connections for hosts of ${namespace}/${name}`,
            'put the servers into one Gateway, or give each a certificate for its own hosts',
          );
        }
      }
    }
  }
}

function* certificatesOf(tls: ServerTlsSettings): Iterable<{ readonly field: Path; readonly certificate: string }> {
  if (tls.credentialName !== undefined) yield { field: ['credentialName'], certificate: tls.credentialName };
  for (const [index, certificate] of (tls.credentialNames ?? []).entries()) yield { field: ['credentialNames', index], certificate };
  if (tls.serverCertificate !== undefined) yield { field: ['serverCertificate'], certificate: tls.serverCertificate };
  for (const [index, { serverCertificate }] of (tls.tlsCertificates ?? []).entries())
    if (serverCertificate !== undefined) yield { field: ['tlsCertificates', index, 'serverCertificate'], certificate: serverCertificate };
}
