/** Reports what is wrong with the certificates and keys that Gateways and DestinationRules name, each at its field. */
import type { Diagnostic } from '../base/diagnostic.ts';
import { clientCredentials, type CredentialSource, serverCredentials } from './credential.ts';
import type { LoadedResource } from './loaded.ts';
import { type CredentialUse, readCredential } from './read-credential.ts';
import { Place, Report } from './report.ts';
import type { ClientTlsSettings, DestinationRule, Gateway, Secret } from './resources.ts';
import { endsTls } from './gateway-traffic.ts';

export function checkCredentials(
  loaded: readonly LoadedResource[],
  secrets: readonly Secret[],
  nowMs: number | undefined,
  diagnostics: Diagnostic[],
): void {
  const check = (source: CredentialSource, use: CredentialUse, place: Place): void => {
    for (const { severity, code, message, hint } of readCredential(source, use, { secrets }, nowMs).problems) {
      if (severity === 'error') place.error(code, message, hint);
      else place.warn(code, message, hint);
    }
  };
  for (const { resource, locate } of loaded) {
    if (resource.kind !== 'Gateway' && resource.kind !== 'DestinationRule') continue;
    const { kind, metadata } = resource;
    const place = Place.root(new Report({ kind, namespace: metadata.namespace, name: metadata.name }, locate, diagnostics)).at('spec');
    if (resource.kind === 'Gateway') checkGateway(resource, place, check);
    else checkRule(resource, place, check);
  }
}

type Check = (source: CredentialSource, use: CredentialUse, place: Place) => void;

function checkGateway({ spec, metadata, origin }: Gateway, place: Place, check: Check): void {
  for (const [index, server] of (spec.servers ?? []).entries()) {
    if (server.tls === undefined || !endsTls(server)) continue;
    const at = place.at('servers').at(index).at('tls');
    const { certificates, clientCa } = serverCredentials(server.tls, metadata.namespace, origin);
    for (const { source, field } of certificates) check(source, 'own', down(at, field));
    if (clientCa !== undefined) check(clientCa.source, 'ca', down(at, clientCa.field));
  }
}

function checkRule({ spec, metadata, origin }: DestinationRule, place: Place, check: Check): void {
  const checkTls = (tls: ClientTlsSettings | undefined, at: Place): void => {
    if (tls === undefined || (tls.mode !== 'SIMPLE' && tls.mode !== 'MUTUAL')) return;
    const { certificate, ca } = clientCredentials(tls, metadata.namespace, origin);
    const field = tls.credentialName === undefined ? undefined : at.at('credentialName');
    if (certificate !== undefined) check(certificate, 'own', field ?? at.at('clientCertificate'));
    if (ca !== undefined && tls.insecureSkipVerify !== true) check(ca, 'ca', field ?? at.at('caCertificates'));
  };
  const checkPolicy = (policy: typeof spec.trafficPolicy, at: Place): void => {
    checkTls(policy?.tls, at.at('tls'));
    for (const [index, { tls }] of (policy?.portLevelSettings ?? []).entries())
      checkTls(tls, at.at('portLevelSettings').at(index).at('tls'));
  };
  checkPolicy(spec.trafficPolicy, place.at('trafficPolicy'));
  for (const [index, subset] of (spec.subsets ?? []).entries())
    checkPolicy(subset.trafficPolicy, place.at('subsets').at(index).at('trafficPolicy'));
}

function down(place: Place, field: readonly (string | number)[]): Place {
  return field.reduce<Place>((at, step) => at.at(step), place);
}
