/** The rules of BackendTLSPolicy, as its custom resource definition has them in CEL. */
import { show, type Place } from '../report.ts';
import { checkEntries } from './check-values.ts';
import type { ParsedBackendTlsPolicy } from './policy-schema.ts';

export function checkBackendTlsPolicy({ targetRefs, validation, options }: ParsedBackendTlsPolicy, place: Place): void {
  checkTargets(targetRefs, place.at('targetRefs'));
  const at = place.at('validation');
  const { caCertificateRefs = [], wellKnownCACertificates, subjectAltNames = [] } = validation;
  if (caCertificateRefs.length > 0 && wellKnownCACertificates !== undefined)
    at.at('wellKnownCACertificates').error(
      'E_ONE_OF',
      'caCertificateRefs and wellKnownCACertificates exclude each other',
      'keep one of them',
    );
  if (caCertificateRefs.length === 0 && wellKnownCACertificates === undefined)
    at.error(
      'E_ONE_OF',
      'caCertificateRefs or wellKnownCACertificates is required',
      'wellKnownCACertificates: System trusts the CAs of this machine',
    );
  for (const [index, name] of subjectAltNames.entries()) {
    const { type } = name;
    const entry = at.at('subjectAltNames').at(index);
    if (!entry.at('type').isSound) continue;
    for (const [member, wanted] of [
      ['hostname', 'Hostname'],
      ['uri', 'URI'],
    ] as const) {
      const here = entry.at(member);
      if (type === wanted && name[member] === undefined) entry.error('E_REQUIRED', `a name of type ${type} needs ${member}`);
      else if (type !== wanted && name[member] !== undefined)
        here.keyError('E_ONE_OF', `${member} belongs to type ${wanted}, found type ${type}`, 'write another entry for it');
    }
  }
  checkEntries(options, 16, place.at('options'));
}

/** One policy can have an object as its target once, or several of its sections. */
function checkTargets(targets: ParsedBackendTlsPolicy['targetRefs'], place: Place): void {
  for (const [index, target] of targets.entries()) {
    for (const [earlier, other] of targets.slice(0, index).entries()) {
      if (target.group !== other.group || target.kind !== other.kind || target.name !== other.name) continue;
      const at = place.at(index);
      const what = `${target.kind} ${show(target.name)}`;
      if (target.sectionName === other.sectionName)
        at.error('E_DUPLICATE', `${what} is the target of targetRefs[${earlier}] too`, 'give each a sectionName of its own, or keep one');
      else if (target.sectionName === undefined || other.sectionName === undefined)
        at.error(
          'E_DUPLICATE',
          `${what} is a target with and without sectionName (targetRefs[${earlier}])`,
          'give each a sectionName, or keep one',
        );
    }
  }
}
