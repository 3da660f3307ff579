/**
 * `metadata` of a resource: Kubernetes' ObjectMeta, of which Serin uses name, namespace, labels, annotations and creationTimestamp. What an API
 * server adds (uid, managedFields and so on) is accepted and left out.
 */
import { z } from 'zod';
import { checkHealthCheck } from './health-check.ts';
import { isDns1123Label, isDns1123Subdomain } from './names.ts';
import { HEALTH_CHECK_ANNOTATION, isClusterScoped, RUN_ANNOTATION, type ObjectMeta, type ResourceKind, wireKind } from './resources.ts';
import { checkRunAnnotation } from './run.ts';
import { show, type Place } from './report.ts';
import { salvage } from './istio/salvage.ts';
import { checkShape } from './istio/shape.ts';

const textMap = z.record(z.string(), z.string());

const metadataSchema = z.strictObject({
  name: z.string(),
  namespace: z.exactOptional(z.string()),
  labels: z.exactOptional(textMap),
  annotations: z.exactOptional(textMap),
  creationTimestamp: z.exactOptional(z.nullable(z.string())),
  generation: z.exactOptional(z.int()),
  // Written by API servers and tools; of no meaning here.
  generateName: z.exactOptional(z.unknown()),
  uid: z.exactOptional(z.unknown()),
  resourceVersion: z.exactOptional(z.unknown()),
  deletionTimestamp: z.exactOptional(z.unknown()),
  deletionGracePeriodSeconds: z.exactOptional(z.unknown()),
  ownerReferences: z.exactOptional(z.unknown()),
  finalizers: z.exactOptional(z.unknown()),
  managedFields: z.exactOptional(z.unknown()),
  selfLink: z.exactOptional(z.unknown()),
});

/** The metadata Serin keeps, or undefined when it has errors; they are reported at `place`. */
export function checkMetadata(kind: ResourceKind, value: unknown, place: Place): ObjectMeta | undefined {
  if (value === undefined) {
    place.error('E_REQUIRED', 'metadata.name is required', 'add metadata: { name: … }');
    return undefined;
  }
  const metadata = withoutEmpty(value);
  if (checkShape(metadataSchema, metadata, place)) return checkFields(kind, metadata, place);
  const rest = salvage(metadataSchema, metadata, place);
  if (rest !== undefined) checkFields(kind, rest.value, rest.place);
  return undefined;
}

const LABEL_NAMES: ReadonlySet<ResourceKind> = new Set(['Gateway', 'Rollout', 'Service', 'Namespace']);

function checkFields(kind: ResourceKind, metadata: z.infer<typeof metadataSchema>, place: Place): ObjectMeta | undefined {
  const { name, labels, annotations, creationTimestamp, generation } = metadata;
  const namespace = isClusterScoped(kind) ? '' : (metadata.namespace ?? 'default');
  let isGood = true;
  // Istio holds Gateway names to labels, Kubernetes those that become part of host names; all others to subdomains. A Rollout's is part of keys and paths.
  const isLabel = LABEL_NAMES.has(kind);
  const isName = isLabel ? isDns1123Label(name) : isDns1123Subdomain(name);
  if (!isName) {
    isGood = false;
    const rule = isLabel ? 'at most 63 lower-case letters, digits and -' : 'lower-case letters, digits, - and .';
    place
      .at('name')
      .error(
        'E_NAME',
        `name ${show(name)} is not a valid ${wireKind(kind)} name`,
        `use ${rule}, beginning and ending with a letter or digit`,
      );
  }
  if (isClusterScoped(kind)) {
    if (metadata.namespace !== undefined)
      place.at('namespace').warn('W_INEFFECTIVE', `a ${kind} belongs to no namespace`, 'leave namespace out');
  } else if (!isDns1123Label(namespace)) {
    isGood = false;
    place
      .at('namespace')
      .error('E_NAME', `namespace ${show(namespace)} is not a DNS label`, 'use at most 63 lower-case letters, digits and -');
  }
  if (typeof creationTimestamp === 'string' && !isTimestamp(creationTimestamp)) {
    isGood = false;
    place
      .at('creationTimestamp')
      .error('E_TYPE', `expected an RFC 3339 time, found ${show(creationTimestamp)}`, 'such as 2026-01-31T12:00:00Z');
  }
  const healthCheck = annotations?.[HEALTH_CHECK_ANNOTATION];
  if (healthCheck !== undefined) {
    const at = place.at('annotations').at(HEALTH_CHECK_ANNOTATION);
    if (kind !== 'ServiceEntry') at.warn('W_INEFFECTIVE', `${HEALTH_CHECK_ANNOTATION} has an effect on a ServiceEntry only`);
    else isGood = checkHealthCheck(healthCheck, at) && isGood;
  }
  const run = annotations?.[RUN_ANNOTATION];
  if (run !== undefined) {
    const at = place.at('annotations').at(RUN_ANNOTATION);
    if (kind !== 'ServiceEntry') at.warn('W_INEFFECTIVE', `${RUN_ANNOTATION} has an effect on a ServiceEntry only`);
    else isGood = checkRunAnnotation(run, at) && isGood;
  }
  if (!isGood) return undefined;
  return {
    name,
    namespace,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(typeof creationTimestamp === 'string' ? { creationTimestamp } : {}),
    ...(generation === undefined ? {} : { generation }),
  };
}

/** Templates leave `labels:` and `annotations:` empty, which is null to YAML and nothing to Kubernetes. */
function withoutEmpty(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key, item]) => item !== null || (key !== 'labels' && key !== 'annotations')));
}

function isTimestamp(text: string): boolean {
  return /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(text) && Number.isFinite(Date.parse(text));
}
