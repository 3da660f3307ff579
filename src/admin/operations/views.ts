/** What is in force: resources, and what was compiled from them. */
import { z } from 'zod';
import { ApiList, ApiObject, DiffRequest, DiffResult, ExplainRequest, ExplainResult } from '../api-types.ts';
import { NAME, type Operation, operation } from '../operation.ts';

export const KIND = z.string().max(63, { error: 'is too long: at most 63 characters' }).meta({
  description:
    'plural, in lower case: `virtualservices`; with its group where two kinds have the same: `gateways.networking.istio.io`, `gateways.gateway.networking.k8s.io`',
});
/** Of a resource. */
export const RESOURCE_NAMESPACE = z
  .union([NAME, z.literal('-')], { error: "is not a name: expected lower-case letters, digits, '-' and '.', at most 253 characters" })
  .meta({ description: 'of kinds that belong to no namespace it is not looked at: `-`' });
export const NAMESPACE_QUERY = { namespace: NAME.optional() };

export const VIEWS: readonly Operation[] = [
  operation({
    id: 'listResources',
    method: 'GET',
    path: '/api/v1/resources/{kind}',
    summary: 'Resources of a kind that are in force, with what shifts and releases change in them',
    description: '`gateways` are those of Istio and those of the Gateway API.',
    scope: 'read',
    params: { kind: KIND },
    query: NAMESPACE_QUERY,
    problems: ['E_NOT_FOUND'],
    success: { description: 'All of them', schema: ApiList },
    handle: (ports, { params, query }) => ports.list(params.kind, query.namespace),
  }),
  operation({
    id: 'getResource',
    method: 'GET',
    path: '/api/v1/resources/{kind}/{namespace}/{name}',
    summary: 'One of them',
    scope: 'read',
    params: { kind: KIND, namespace: RESOURCE_NAMESPACE, name: NAME },
    problems: ['E_NOT_FOUND', 'E_AMBIGUOUS'],
    success: { description: 'The resource with its status', schema: ApiObject },
    handle: (ports, { params: { kind, namespace, name } }) => ports.get(kind, namespace, name),
  }),
  operation({
    id: 'listListeners',
    method: 'GET',
    path: '/api/v1/listeners',
    summary: 'Where requests are taken, and for which hosts',
    scope: 'read',
    problems: [],
    success: { description: 'All of them', schema: ApiList },
    handle: (ports) => ports.listeners(),
  }),
  operation({
    id: 'listClusters',
    method: 'GET',
    path: '/api/v1/clusters',
    summary: 'What requests are sent to: versions of services',
    scope: 'read',
    problems: [],
    success: { description: 'All of them', schema: ApiList },
    handle: (ports) => ports.clusters(),
  }),
  operation({
    id: 'listEndpoints',
    method: 'GET',
    path: '/api/v1/endpoints',
    summary: 'Endpoints of the versions, and how they are',
    scope: 'read',
    problems: [],
    success: { description: 'One entry a version and endpoint', schema: ApiList },
    handle: (ports) => ports.endpoints(),
  }),
  operation({
    id: 'listProcesses',
    method: 'GET',
    path: '/api/v1/processes',
    summary: 'Processes that Serin runs',
    scope: 'read',
    problems: [],
    success: { description: 'All of them', schema: ApiList },
    handle: (ports) => ports.processes(),
  }),
  operation({
    id: 'explain',
    method: 'POST',
    path: '/api/v1/explain',
    summary: 'What would happen to one request, and why',
    scope: 'read',
    body: ExplainRequest,
    problems: ['E_NOT_FOUND'],
    success: { description: 'The rule that takes it, and why the others do not', schema: ExplainResult },
    handle: (ports, { body }) => Response.json(ports.explain(body)),
  }),
  operation({
    id: 'diff',
    method: 'POST',
    path: '/api/v1/diff',
    summary: 'What other files would change',
    description: 'Nothing is changed, and nothing is read but what is given.',
    scope: 'read',
    body: DiffRequest,
    problems: ['E_CONFIG_INVALID'],
    success: { description: 'The differences from what is in force', schema: DiffResult },
    handle: (ports, { body }) => ports.diff(body),
  }),
];
