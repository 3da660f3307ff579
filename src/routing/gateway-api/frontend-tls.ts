/** What a Gateway asks of its clients' certificates (`spec.tls.frontend`): of all its ports, or of one. */
import { type FrontendTlsConfig, GATEWAY_API_GROUP, type GatewayApiGateway } from '../../config/gateway-api/types.ts';
import { caCertificate } from './certificates.ts';
import { no, type Verdict } from './conditions.ts';
import type { AttachedListener } from './model.ts';
import type { References } from './references.ts';

/** All absent: clients are asked for nothing. */
export interface ClientValidation {
  readonly validation?: NonNullable<AttachedListener['clientValidation']>;
  readonly problem?: Verdict;
  /** No CA is good, so nobody could be let in. */
  readonly refused?: Verdict;
  /** Of several CAs the first good one counts: where those stand that do not, from the validation on. */
  readonly unused?: readonly { readonly path: string; readonly name: string }[];
}

export interface ClientValidations {
  /** A port of its own settings has those alone. */
  readonly ofPort: (port: number) => ClientValidation;
  /** All there are. */
  readonly all: readonly ClientValidation[];
}

export function clientValidations(gateway: GatewayApiGateway, references: References): ClientValidations {
  const { frontend } = gateway.spec.tls ?? {};
  if (frontend === undefined) return { ofPort: () => ({}), all: [] };
  const at = 'spec.tls.frontend';
  const general = validate(gateway, frontend.default, `${at}.default`, references);
  const perPort = new Map(
    (frontend.perPort ?? []).map(({ port, tls }, index) => [port, validate(gateway, tls, `${at}.perPort[${index}].tls`, references)]),
  );
  return { ofPort: (port) => perPort.get(port) ?? general, all: [general, ...perPort.values()] };
}

function validate(gateway: GatewayApiGateway, { validation }: FrontendTlsConfig, path: string, references: References): ClientValidation {
  if (validation === undefined) return {};
  const own = gateway.metadata.namespace;
  let ca: string | undefined;
  let problem: Verdict | undefined;
  const unused: { path: string; name: string }[] = [];
  for (const [index, { group, kind, name, namespace: stated = '' }] of validation.caCertificateRefs.entries()) {
    const namespace = stated === '' ? own : stated;
    const from = { group: GATEWAY_API_GROUP, kind: 'Gateway', namespace: own };
    if (!references.grants.allows(from, { group, kind, namespace, name })) {
      problem ??= no(
        'ResolvedRefs',
        'RefNotPermitted',
        `no ReferenceGrant in ${namespace} lets Gateways of ${own} refer to ${kind} ${name}`,
      );
      continue;
    }
    const found = caCertificate({ group, kind, namespace, name }, references);
    if ('problem' in found) {
      problem ??= no('ResolvedRefs', found.wrong === 'kind' ? 'InvalidCACertificateKind' : 'InvalidCACertificateRef', found.problem);
    } else if (ca === undefined) ca = found.credential;
    else unused.push({ path: `${path}.validation.caCertificateRefs[${index}]`, name });
  }
  if (ca === undefined) {
    const message = problem?.message ?? 'no CA is named';
    return {
      problem: problem ?? no('ResolvedRefs', 'InvalidCACertificateRef', message),
      refused: no('Accepted', 'NoValidCACertificate', message),
    };
  }
  const isUnchecked = validation.mode === 'AllowInsecureFallback';
  return { validation: { ca, isUnchecked }, unused, ...(problem === undefined ? {} : { problem }) };
}

/** Whether clients may come in without a good certificate, on some port. */
export function isInsecure({ spec }: GatewayApiGateway): boolean {
  const { frontend } = spec.tls ?? {};
  if (frontend === undefined) return false;
  return [frontend.default, ...(frontend.perPort ?? []).map(({ tls }) => tls)].some(
    ({ validation }) => validation?.mode === 'AllowInsecureFallback',
  );
}
