/**
 * BackendTLSPolicies (apis/v1/backendtlspolicy_types.go): which of them is in force for which port of a Service, and why the others are not.
 *
 * Of several for the same target the older counts; one for a port by name goes before one for the whole Service. A policy that is in force and cannot be kept
 * stays in force: its requests are refused, never sent in the clear.
 */
import type { BackendTlsPolicy } from '../../config/gateway-api/types.ts';
import { serviceHost } from '../../config/hosts.ts';
import type { KubernetesService } from '../../config/kubernetes/types.ts';
import type { ServiceIndex } from '../../config/services.ts';
import { caCertificate, type CertificateStores } from './certificates.ts';
import { byPrecedence, no, type Verdict, yes } from './conditions.ts';
import { backendKey, type BackendTls } from './model.ts';

export interface BackendPolicies {
  /** By `backendKey`. */
  readonly inForce: ReadonlyMap<string, BackendTls>;
  /** What is said of each, whoever uses its Service. */
  readonly verdicts: ReadonlyMap<BackendTlsPolicy, readonly Verdict[]>;
  /** Full names of the Services each is for. */
  readonly targets: ReadonlyMap<BackendTlsPolicy, readonly string[]>;
  /** Of several CAs the first good one counts: those that do not. */
  readonly unused: readonly { readonly policy: BackendTlsPolicy; readonly index: number; readonly name: string }[];
}

export interface PolicyContext extends CertificateStores {
  readonly services: ServiceIndex;
  readonly kubernetesServices: ReadonlyMap<string, KubernetesService>;
}

/** A port of a Service under the names that policies have for it. */
interface TargetPort {
  readonly name: string;
  readonly number: number;
}

export function backendPolicies(policies: readonly BackendTlsPolicy[], context: PolicyContext): BackendPolicies {
  const verdicts = new Map<BackendTlsPolicy, readonly Verdict[]>();
  const targets = new Map<BackendTlsPolicy, readonly string[]>();
  const unused: { policy: BackendTlsPolicy; index: number; name: string }[] = [];
  /** By full name and section, empty for all: who has it. */
  const owners = new Map<string, BackendTlsPolicy>();
  const wide = new Map<string, BackendTls>();
  const narrow = new Map<string, BackendTls>();
  for (const policy of policies.toSorted(byPrecedence)) {
    const ca = trusted(policy, context);
    for (const { index, name } of ca.unused) unused.push({ policy, index, name });
    const tls: BackendTls = { policy, ca: ca.credential, ...(ca.refused === undefined ? {} : { invalid: ca.refused.message }) };
    const hosts: string[] = [];
    const problems: Verdict[] = [];
    let placed = 0;
    for (const { group, kind, name, sectionName = '' } of policy.spec.targetRefs) {
      if (group !== '' || kind !== 'Service') {
        problems.push(no('Accepted', 'Invalid', `${name} is ${group === '' ? '' : `${group} `}${kind}: only Services can be targets`));
        continue;
      }
      const host = serviceHost(name, policy.metadata.namespace);
      const ports = portsOf(host, `${policy.metadata.namespace}/${name}`, context);
      if (ports === undefined) {
        problems.push(no('Accepted', 'TargetNotFound', `there is no Service ${name} in namespace ${policy.metadata.namespace}`));
        continue;
      }
      hosts.push(host);
      const meant = ports.filter((port) => sectionName === '' || port.name === sectionName);
      if (meant.length === 0) {
        problems.push(no('Accepted', 'TargetNotFound', `Service ${name} has no port ${sectionName === '' ? 'at all' : sectionName}`));
        continue;
      }
      const owner = owners.get(`${host} ${sectionName}`);
      if (owner !== undefined && owner !== policy) {
        const what = sectionName === '' ? `Service ${name}` : `port ${sectionName} of Service ${name}`;
        problems.push(no('Accepted', 'Conflicted', `the older BackendTLSPolicy ${owner.metadata.name} is for ${what}`));
        continue;
      }
      owners.set(`${host} ${sectionName}`, policy);
      placed += 1;
      for (const { number } of meant) (sectionName === '' ? wide : narrow).set(backendKey(host, number), tls);
    }
    const [problem] = problems;
    const accepted = ca.refused ?? (placed === 0 ? problem : undefined) ?? yes('Accepted', 'Accepted', problem?.message ?? '');
    verdicts.set(policy, [placed === 0 && problem !== undefined ? problem : accepted, ca.resolved]);
    targets.set(policy, hosts);
  }
  return { inForce: new Map([...wide, ...narrow]), verdicts, targets, unused };
}

interface Trusted {
  readonly credential: string | undefined;
  readonly resolved: Verdict;
  /** Why nothing can be verified with it. */
  readonly refused?: Verdict;
  readonly unused: readonly { readonly index: number; readonly name: string }[];
}

function trusted({ metadata, spec }: BackendTlsPolicy, context: PolicyContext): Trusted {
  const { caCertificateRefs = [], wellKnownCACertificates } = spec.validation;
  if (caCertificateRefs.length === 0) {
    const resolved = yes('ResolvedRefs');
    if (wellKnownCACertificates === 'System') return { credential: undefined, resolved, unused: [] };
    const said = wellKnownCACertificates ?? 'nothing';
    const refused = no('Accepted', 'Invalid', `the CAs to trust are caCertificateRefs or the well-known ones called System, not ${said}`);
    return { credential: undefined, resolved, refused, unused: [] };
  }
  let credential: string | undefined;
  let resolved: Verdict | undefined;
  const unused: { index: number; name: string }[] = [];
  for (const [index, { group, kind, name }] of caCertificateRefs.entries()) {
    const found = caCertificate({ group, kind, namespace: metadata.namespace, name }, context);
    if ('problem' in found) {
      resolved ??= no('ResolvedRefs', found.wrong === 'kind' ? 'InvalidKind' : 'InvalidCACertificateRef', found.problem);
    } else if (credential === undefined) credential = found.credential;
    else unused.push({ index, name });
  }
  const refused = credential === undefined ? no('Accepted', 'NoValidCACertificate', resolved?.message ?? '') : undefined;
  return { credential, resolved: resolved ?? yes('ResolvedRefs'), ...(refused === undefined ? {} : { refused }), unused };
}

/** @param key `namespace/name` of a Service of Kubernetes; ServiceEntries that say the same are targets, too. */
function portsOf(host: string, key: string, { services, kubernetesServices }: PolicyContext): readonly TargetPort[] | undefined {
  const kubernetes = kubernetesServices.get(key);
  if (kubernetes !== undefined) return (kubernetes.spec.ports ?? []).map(({ name = '', port }) => ({ name, number: port }));
  const service = services.service(host);
  return service?.host === host ? service.ports.map(({ name, number }) => ({ name: name ?? '', number })) : undefined;
}
