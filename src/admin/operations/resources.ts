/** Configuration without files: resources that are applied, and where all of it comes from. */
import { z } from 'zod';
import { NAME, type Operation, operation } from '../operation.ts';
import { ApplyResult, Configuration, ConfigurationHistory, ManifestsDiff, ManifestsRequest, ResourceSource } from '../resource-types.ts';
import { KIND, RESOURCE_NAMESPACE } from './views.ts';

const params = { kind: KIND, namespace: RESOURCE_NAMESPACE, name: NAME };
const query = {
  dryRun: z
    .enum(['true', 'false'], { error: "is 'true' or 'false'" })
    .default('false')
    .meta({ description: 'check everything, change nothing' }),
};
const headers = { 'if-match': z.string().optional().meta({ description: 'the version the configuration must still have' }) };

/** What a change of resources can be refused for. */
const problems = [
  'E_NOT_FOUND',
  'E_CONFIG_INVALID',
  'E_FILE_OWNED',
  'E_STALE',
  'E_TARGET_UNHEALTHY',
  'E_STATE_WRITE',
  'E_SHUTTING_DOWN',
] as const;

export const RESOURCES: readonly Operation[] = [
  operation({
    id: 'configuration',
    method: 'GET',
    path: '/api/v1/configuration',
    summary: 'What is in force, where each resource comes from, and what was refused last',
    scope: 'read',
    problems: [],
    success: { description: 'The configuration as a whole', schema: Configuration },
    etag: ({ version }) => version,
    handle: (ports) => ports.configuration(),
  }),
  operation({
    id: 'configurationHistory',
    method: 'GET',
    path: '/api/v1/configuration/history',
    summary: 'The last 200 versions of the configuration, and who changed what',
    scope: 'read',
    problems: [],
    success: { description: 'Newest first', schema: ConfigurationHistory },
    handle: (ports) => ({ items: [...ports.configurationHistory()] }),
  }),
  operation({
    id: 'applyResources',
    method: 'POST',
    path: '/api/v1/resources',
    summary: 'Add resources beside the files, or change those that were added',
    description: 'All of them or none. Answered when they are durable and in force.',
    // They name programs to run and files to read.
    scope: 'admin',
    query,
    headers,
    body: ManifestsRequest,
    problems,
    success: { description: 'What became of each', schema: ApplyResult },
    etag: ({ version }) => version,
    handle: (ports, { body, query: { dryRun }, headers: { 'if-match': ifMatch }, by }) =>
      ports.apply(body.manifests, { by, dryRun: dryRun === 'true', ifMatch }),
  }),
  operation({
    id: 'deleteResource',
    method: 'DELETE',
    path: '/api/v1/resources/{kind}/{namespace}/{name}',
    summary: 'Remove a resource that was added over the API',
    description: 'Answered when that is durable and in force.',
    scope: 'admin',
    params,
    query,
    headers,
    problems: [...problems, 'E_AMBIGUOUS'],
    success: { description: 'That it is gone', schema: ApplyResult },
    etag: ({ version }) => version,
    handle: (ports, { params: { kind, namespace, name }, query: { dryRun }, headers: { 'if-match': ifMatch }, by }) =>
      ports.delete(kind, namespace, name, { by, dryRun: dryRun === 'true', ifMatch }),
  }),
  operation({
    id: 'diffResources',
    method: 'POST',
    path: '/api/v1/resources/diff',
    summary: 'What applying resources would change in them',
    scope: 'read',
    body: ManifestsRequest,
    problems: ['E_CONFIG_INVALID'],
    success: { description: 'Those that are new or other ones', schema: ManifestsDiff },
    handle: (ports, { body }) => ports.diffManifests(body.manifests),
  }),
  operation({
    id: 'resourceSource',
    method: 'GET',
    path: '/api/v1/resources/{kind}/{namespace}/{name}/source',
    summary: 'A resource as it was written, and what a shift or a release makes of it',
    scope: 'read',
    params,
    problems: ['E_NOT_FOUND', 'E_AMBIGUOUS'],
    success: { description: 'Its YAML, what it declares and what is in force', schema: ResourceSource },
    handle: (ports, { params: { kind, namespace, name } }) => ports.source(kind, namespace, name),
  }),
];
