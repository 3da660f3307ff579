/** What references to certificates and to CAs lead to, and what is wrong with it. Pure: nothing but Secrets and ConfigMaps is looked at. */
import { credentialName, type CredentialSource } from '../../config/credential.ts';
import { type CredentialUse, readCredential } from '../../config/read-credential.ts';
import type { ConfigMap } from '../../config/kubernetes/types.ts';
import type { Secret } from '../../config/resources.ts';

/** By `namespace/name`. */
export interface CertificateStores {
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
}

export interface ObjectAt {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** `credentialName` of something good, or why it cannot be used; `kind` where such an object never can. */
export type Certificate = { readonly credential: string } | { readonly problem: string; readonly wrong: 'kind' | 'content' };

/** A certificate with its key: of a Secret of type `kubernetes.io/tls`. */
export function ownCertificate({ group, kind, namespace, name }: ObjectAt, { secrets }: CertificateStores): Certificate {
  if (group !== '' || kind !== 'Secret') return wrongKind(group, kind, name, 'a Secret');
  const secret = secrets.get(`${namespace}/${name}`);
  if (secret === undefined) return content(`there is no Secret ${name} in namespace ${namespace}`);
  if (secret.spec.type !== 'kubernetes.io/tls') {
    return content(`Secret ${namespace}/${name} is of type ${secret.spec.type || 'Opaque'}, not kubernetes.io/tls`);
  }
  return checked(secret, { kind: 'secret', namespace, name }, 'own');
}

/** The CA in `ca.crt` of a ConfigMap or a Secret. */
export function caCertificate({ group, kind, namespace, name }: ObjectAt, { secrets, configMaps }: CertificateStores): Certificate {
  if (group !== '' || (kind !== 'ConfigMap' && kind !== 'Secret')) return wrongKind(group, kind, name, 'a ConfigMap or a Secret');
  const object = (kind === 'Secret' ? secrets : configMaps).get(`${namespace}/${name}`);
  if (object === undefined) return content(`there is no ${kind} ${name} in namespace ${namespace}`);
  return checked(object, { kind: kind === 'Secret' ? 'secret' : 'configMap', namespace, name }, 'ca');
}

/** By what was checked: a resource never changes, so what was found stays true however often it is compiled. */
const known: Readonly<Record<CredentialUse, WeakMap<Secret | ConfigMap, Certificate>>> = { own: new WeakMap(), ca: new WeakMap() };

function checked(object: Secret | ConfigMap, source: CredentialSource, use: CredentialUse): Certificate {
  const before = known[use].get(object);
  if (before !== undefined) return before;
  const stores = object.kind === 'Secret' ? { secrets: [object] } : { secrets: [], configMaps: [object] };
  // Whether it has expired is for a clock to say; the control plane does.
  const { problems } = readCredential(source, use, stores, undefined);
  const problem = problems.find(({ severity }) => severity === 'error');
  const found = problem === undefined ? { credential: credentialName(source) } : content(problem.message);
  known[use].set(object, found);
  return found;
}

function wrongKind(group: string, kind: string, name: string, wanted: string): Certificate {
  return { problem: `${name} is ${group === '' ? '' : `${group} `}${kind}, not ${wanted}`, wrong: 'kind' };
}

function content(problem: string): Certificate {
  return { problem, wrong: 'content' };
}
