/** The shapes of GatewayClass, Gateway and ListenerSet (gateway-api apis/v1). What the shapes cannot say is in check-gateway.ts. */
import { z } from 'zod';
import { later, optional, partly, partlyRequired } from '../istio/fields.ts';
import {
  addressType,
  annotationValue,
  controllerName,
  group,
  hostname,
  labelSelector,
  labelValue,
  listenerProtocol,
  localRef,
  namespace,
  objectKind,
  objectName,
  objectRef,
  portNumber,
  secretRef,
  sectionName,
  sized,
} from './fields.ts';

export const gatewayClassSchema = z.strictObject({
  controllerName,
  parametersRef: partly(objectRef, 'there are no parameters to refer to: the status of the class says so'),
  description: optional(sized(0, 64)),
});

const listenerTls = z.strictObject({
  mode: optional(z.enum(['Terminate', 'Passthrough'])),
  certificateRefs: optional(z.array(secretRef).max(64)),
  options: later(z.record(z.string(), annotationValue), 'TLS has the settings of the engine: no option is known'),
});

const listener = z.strictObject({
  name: sectionName,
  hostname: optional(hostname),
  port: portNumber,
  protocol: partlyRequired(listenerProtocol, 'HTTP, HTTPS and TLS are served; of others the status of the listener says that they are not'),
  tls: optional(listenerTls),
  allowedRoutes: optional(
    z.strictObject({
      namespaces: optional(z.strictObject({ from: optional(z.enum(['All', 'Selector', 'Same'])), selector: optional(labelSelector) })),
      kinds: optional(z.array(z.strictObject({ group: optional(group), kind: objectKind })).max(8)),
    }),
  ),
});
const listeners = z.array(listener).min(1).max(64);

const frontendTls = z.strictObject({
  validation: optional(
    z.strictObject({
      caCertificateRefs: z.array(objectRef).min(1).max(16),
      mode: optional(z.enum(['AllowValidOnly', 'AllowInsecureFallback'])),
    }),
  ),
});

export const gatewayApiGatewaySchema = z.strictObject({
  gatewayClassName: objectName,
  listeners,
  addresses: partly(
    z.array(z.strictObject({ type: optional(addressType), value: optional(sized(0, 253)) })).max(16),
    'addresses of this machine are bound; others are said in the status',
  ),
  infrastructure: later(
    z.strictObject({
      labels: optional(z.record(z.string(), labelValue)),
      annotations: optional(z.record(z.string(), annotationValue)),
      parametersRef: optional(localRef),
    }),
    'nothing is created for a Gateway that could carry it: this one process serves every Gateway',
  ),
  allowedListeners: optional(
    z.strictObject({
      namespaces: optional(
        z.strictObject({ from: optional(z.enum(['All', 'Selector', 'Same', 'None'])), selector: optional(labelSelector) }),
      ),
    }),
  ),
  tls: optional(
    z.strictObject({
      backend: optional(z.strictObject({ clientCertificateRef: optional(secretRef) })),
      frontend: optional(
        z.strictObject({
          default: frontendTls,
          perPort: optional(z.array(z.strictObject({ port: portNumber, tls: frontendTls })).max(64)),
        }),
      ),
    }),
  ),
  defaultScope: later(z.enum(['All', 'None']), 'routes belong to the Gateways they name'),
});

export const listenerSetSchema = z.strictObject({
  parentRef: z.strictObject({
    group: optional(group),
    kind: optional(objectKind),
    name: objectName,
    namespace: optional(namespace),
  }),
  listeners,
});

export type ParsedListener = z.infer<typeof listener>;
export type ParsedGatewayApiGateway = z.infer<typeof gatewayApiGatewaySchema>;
export type ParsedListenerSet = z.infer<typeof listenerSetSchema>;
