/**
 * Endpoints of core/v1 as the EndpointSlices that a cluster makes of them, so that after this there is one kind of endpoints: one slice for each subset and
 * kind of address (kubernetes/kubernetes pkg/controller/endpointslicemirroring, v1.36). What a cluster shows of a Service has both, so these count only where
 * the Service has no other slice (`declaredServices`).
 */
import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { optional, unused } from '../istio/fields.ts';
import { checkAll } from '../istio/salvage.ts';
import { isDns1123Label, isIpAddress } from '../names.ts';
import { show, type Place } from '../report.ts';
import type { ObjectMeta } from '../resources.ts';
import { type EndpointSliceSpec, MANAGED_BY_LABEL, MIRRORED, SERVICE_NAME_LABEL } from './types.ts';

const address = z.strictObject({
  ip: z.string(),
  hostname: unused(z.string(), 'there is no cluster to do it'),
  nodeName: unused(z.string(), 'there are no nodes'),
  targetRef: unused(z.unknown(), 'there is no cluster to do it'),
});

const subset = z.strictObject({
  addresses: optional(z.nullable(z.array(address).max(1000))),
  notReadyAddresses: optional(z.nullable(z.array(address).max(1000))),
  ports: optional(
    z.nullable(
      z
        .array(
          z.strictObject({
            name: optional(z.string()),
            protocol: unused(z.enum(['TCP', 'UDP', 'SCTP']), 'that of the port of the Service counts'),
            port: z.int32().min(1).max(65_535),
            appProtocol: unused(z.string(), 'that of the port of the Service counts'),
          }),
        )
        .max(100),
    ),
  ),
});

/** Lists are null where an API server has none. */
export const endpointsSchema = z.strictObject({ subsets: optional(z.nullable(z.array(subset).max(1000))) });

type ParsedEndpoints = z.infer<typeof endpointsSchema>;

/** Whoever sets it on Endpoints wants no slices made of them. */
const SKIP_MIRROR_LABEL = 'endpointslice.kubernetes.io/skip-mirror';

export interface MirroredSlice {
  readonly metadata: ObjectMeta;
  readonly spec: EndpointSliceSpec;
}

/** @param value The document without apiVersion, kind and metadata. @returns None where it has errors; they are reported at `place`. */
export function readEndpoints(value: Readonly<Record<string, unknown>>, metadata: ObjectMeta, place: Place): readonly MirroredSlice[] {
  if (!checkAll(endpointsSchema, value, place, checkEndpoints) || metadata.labels?.[SKIP_MIRROR_LABEL] === 'true') return [];
  const labels = { ...metadata.labels, [SERVICE_NAME_LABEL]: metadata.name, [MANAGED_BY_LABEL]: MIRRORED };
  const specs = (value.subsets ?? []).flatMap((each) =>
    (['IPv4', 'IPv6'] as const).map((addressType): EndpointSliceSpec => ({
      addressType,
      endpoints: [...endpointsOf(each.addresses, addressType, true), ...endpointsOf(each.notReadyAddresses, addressType, false)],
      ports: each.ports ?? [],
    })),
  );
  return specs
    .filter(({ endpoints }) => endpoints.length > 0)
    .map((spec, index) => ({ metadata: { ...metadata, name: `${metadata.name}-mirrored-${index + 1}`, labels }, spec }));
}

type Addresses = NonNullable<ParsedEndpoints['subsets']>[number]['addresses'];

function endpointsOf(addresses: Addresses, type: 'IPv4' | 'IPv6', ready: boolean): EndpointSliceSpec['endpoints'] {
  return (addresses ?? [])
    .filter(({ ip }) => isIPv6(ip) === (type === 'IPv6'))
    .map(({ ip }) => ({ addresses: [ip], conditions: { ready } }));
}

function checkEndpoints({ subsets }: ParsedEndpoints, place: Place): void {
  for (const [index, each] of (subsets ?? []).entries()) {
    const at = place.at('subsets').at(index);
    for (const field of ['addresses', 'notReadyAddresses'] as const) {
      for (const [which, { ip }] of (each[field] ?? []).entries()) {
        if (!isIpAddress(ip))
          at.at(field)
            .at(which)
            .at('ip')
            .error('E_ADDRESS', `expected an IP address, found ${show(ip)}`);
      }
    }
    for (const [which, { name = '' }] of (each.ports ?? []).entries()) {
      if (name === '' ? (each.ports ?? []).length > 1 : !isDns1123Label(name))
        at.at('ports')
          .at(which)
          .at('name')
          .error('E_NAME', `port name ${show(name)} is not a DNS label`, 'name it as the Service does');
    }
  }
}
