/** From a kind's name to its schema and rules: one row a kind. */
import type { z } from 'zod';
import type { GatewayApiResource } from '../gateway-api/types.ts';
import type { KubernetesResource } from '../kubernetes/types.ts';
import type { ObjectMeta, AnyResource } from '../resources.ts';
import type { Place, ResourceId } from '../report.ts';
import { metricTemplateSchema } from '../serin/metric-schema.ts';
import { checkMetricTemplate } from '../serin/metric-template.ts';
import { checkNotification, notificationSchema } from '../serin/notification.ts';
import { checkRollout } from '../serin/rollout.ts';
import { rolloutSchema } from '../serin/rollout-schema.ts';
import { checkDestinationRule } from './destination-rule.ts';
import { destinationRuleSchema } from './destination-rule-schema.ts';
import { checkGateway } from './gateway.ts';
import { gatewaySchema } from './gateway-schema.ts';
import { checkServiceEntry, checkWorkloadEntry } from './service-entry.ts';
import { serviceEntrySchema, workloadEntrySchema } from './service-entry-schema.ts';
import { salvage } from './salvage.ts';
import { checkShape, markTree, warnNotHonoured } from './shape.ts';
import { checkVirtualService, withPresenceMatches } from './virtual-service.ts';
import { virtualServiceSchema } from './virtual-service-schema.ts';

/** Kind and spec of a resource whose shape is right (its values may have been reported as wrong), or undefined when it is not. */
export type KindAndSpec = {
  [K in SpecKind]: { readonly kind: K; readonly spec: Extract<AnyResource, { kind: K }>['spec'] };
}[SpecKind];

/** Istio's kinds and Serin's own. */
export type SpecKind = Exclude<AnyResource, GatewayApiResource | KubernetesResource | { kind: 'Secret' }>['kind'];

export const SCHEMAS = {
  VirtualService: virtualServiceSchema,
  DestinationRule: destinationRuleSchema,
  Gateway: gatewaySchema,
  ServiceEntry: serviceEntrySchema,
  WorkloadEntry: workloadEntrySchema,
  Rollout: rolloutSchema,
  MetricTemplate: metricTemplateSchema,
  Notification: notificationSchema,
} as const satisfies Record<SpecKind, unknown>;

const MARK_TREES = {
  VirtualService: markTree(virtualServiceSchema),
  DestinationRule: markTree(destinationRuleSchema),
  Gateway: markTree(gatewaySchema),
  ServiceEntry: markTree(serviceEntrySchema),
  WorkloadEntry: markTree(workloadEntrySchema),
  Rollout: markTree(rolloutSchema),
  MetricTemplate: markTree(metricTemplateSchema),
  Notification: markTree(notificationSchema),
} as const;

export function readKind(
  kind: SpecKind,
  value: unknown,
  place: Place,
  id: ResourceId,
  metadata: ObjectMeta | undefined,
): KindAndSpec | undefined {
  const read = readSpec(kind, value, place, id, metadata);
  if (read !== undefined) warnNotHonoured(MARK_TREES[kind], read.spec, place);
  return read;
}

/** Further problems of a spec whose shape is wrong, as far as the rest of it can be checked. */
function checkRest<T extends z.ZodType>(
  schema: T,
  value: unknown,
  place: Place,
  check: (spec: z.infer<T>, place: Place) => void,
): undefined {
  const rest = salvage(schema, value, place);
  if (rest !== undefined) check(rest.value, rest.place);
}

function readSpec(kind: SpecKind, value: unknown, place: Place, id: ResourceId, metadata: ObjectMeta | undefined): KindAndSpec | undefined {
  const { namespace } = id;
  switch (kind) {
    case 'VirtualService': {
      const spec = withPresenceMatches(value);
      if (!checkShape(virtualServiceSchema, spec, place)) {
        return checkRest(virtualServiceSchema, spec, place, (rest, at) => checkVirtualService(rest, at, namespace));
      }
      checkVirtualService(spec, place, namespace);
      return { kind, spec };
    }
    case 'DestinationRule':
      if (!checkShape(destinationRuleSchema, value, place)) {
        return checkRest(destinationRuleSchema, value, place, (rest, at) => checkDestinationRule(rest, at, namespace));
      }
      checkDestinationRule(value, place, namespace);
      return { kind, spec: value };
    case 'Gateway':
      if (!checkShape(gatewaySchema, value, place)) return checkRest(gatewaySchema, value, place, checkGateway);
      checkGateway(value, place);
      return { kind, spec: value };
    case 'ServiceEntry':
      if (!checkShape(serviceEntrySchema, value, place)) {
        return checkRest(serviceEntrySchema, value, place, (rest, at) => checkServiceEntry(rest, at, namespace, metadata));
      }
      checkServiceEntry(value, place, namespace, metadata);
      return { kind, spec: value };
    case 'Rollout':
      if (!checkShape(rolloutSchema, value, place)) {
        return checkRest(rolloutSchema, value, place, (rest, at) => checkRollout(rest, at, false));
      }
      checkRollout(value, place);
      return { kind, spec: value };
    case 'MetricTemplate':
      if (!checkShape(metricTemplateSchema, value, place)) return checkRest(metricTemplateSchema, value, place, checkMetricTemplate);
      checkMetricTemplate(value, place);
      return { kind, spec: value };
    case 'Notification':
      if (!checkShape(notificationSchema, value, place)) return checkRest(notificationSchema, value, place, checkNotification);
      checkNotification(value, place);
      return { kind, spec: value };
    default:
      if (!checkShape(workloadEntrySchema, value, place)) return checkRest(workloadEntrySchema, value, place, checkWorkloadEntry);
      checkWorkloadEntry(value, place);
      return { kind, spec: value };
  }
}
