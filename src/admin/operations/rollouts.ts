/** Releases, and what people do with them. */
import { z } from 'zod';
import { type Verb, VERBS } from '../../rollout/verbs.ts';
import { because } from '../access.ts';
import { ApiList, ApiObject, Preview, PreviewRequest, RolloutRequest } from '../api-types.ts';
import { NAME, type Operation, operation } from '../operation.ts';
import { NAMESPACE_QUERY } from './views.ts';

const path = '/api/v1/rollouts/{namespace}/{name}';
/** Of a Rollout, or of the host it releases, which may have dots. */
export const ROLLOUT_PARAMS = {
  namespace: NAME,
  name: z.string().regex(/^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/, {
    error: 'is not one of a Rollout: expected lower-case letters, digits and -, at most 63 characters',
  }),
};

const SUMMARIES: Readonly<Record<Verb, string>> = {
  start: 'Start a release',
  promote: 'Go on where a release waits for somebody',
  pause: 'Hold a release where it is',
  resume: 'Let a paused release go on',
  abort: 'Take a release back: everybody to stable',
  retry: 'Start a release again that was taken back',
  undo: 'Take a promotion back: everybody to the version before',
};

const TERMS = {
  'if-match': z
    .string()
    .optional()
    .meta({ description: 'the ETag of the Rollout that was looked at; if it has changed since, nothing is done (412)' }),
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, { error: 'must be 1 to 255 printable ASCII characters without spaces' })
    .optional()
    .meta({ description: 'a request that was made with this key already is not made again; kept for a day' }),
};

const etag = ({ metadata }: z.input<typeof ApiObject>): string | undefined => {
  const { resourceVersion } = metadata;
  return typeof resourceVersion === 'string' ? resourceVersion : undefined;
};

export const ROLLOUTS: readonly Operation[] = [
  operation({
    id: 'listRollouts',
    method: 'GET',
    path: '/api/v1/rollouts',
    summary: 'Releases with their status',
    scope: 'read',
    query: NAMESPACE_QUERY,
    problems: [],
    success: { description: 'All of them', schema: ApiList },
    handle: (ports, { query }) => ports.rollouts(query.namespace),
  }),
  operation({
    id: 'getRollout',
    method: 'GET',
    path,
    summary: 'One release with its status and every decision',
    scope: 'read',
    params: ROLLOUT_PARAMS,
    problems: ['E_NOT_FOUND'],
    success: { description: 'The Rollout; its ETag is its revision', schema: ApiObject },
    etag,
    handle: (ports, { params: { namespace, name } }) => ports.rollout(namespace, name),
  }),
  ...VERBS.map((verb) =>
    operation({
      id: `${verb}Rollout`,
      method: 'POST',
      path: `${path}/${verb}`,
      summary: SUMMARIES[verb],
      description: 'Answered when the change is durable and in force.',
      scope: 'operate',
      params: ROLLOUT_PARAMS,
      headers: TERMS,
      body: RolloutRequest,
      problems: [
        'E_NOT_FOUND',
        'E_CONFLICT',
        'E_APPROVAL',
        'E_BLOCKED',
        'E_FROZEN',
        'E_STALE',
        'E_TARGET_UNHEALTHY',
        'E_NO_CHANGE',
        'E_STATE_WRITE',
        'E_SHUTTING_DOWN',
      ],
      success: { description: 'The Rollout after it', schema: ApiObject },
      etag,
      handle: (ports, { params: { namespace, name }, headers, body, by }) => {
        const { 'if-match': ifMatch, 'idempotency-key': idempotencyKey } = headers;
        const terms = {
          by: because(by, body.reason),
          ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
          ...(ifMatch === undefined ? {} : { ifMatch }),
        };
        return ports.rolloutVerb(namespace, name, verb, body, terms);
      },
    }),
  ),
  operation({
    id: 'previewRollout',
    method: 'POST',
    path: `${path}/preview`,
    summary: 'Make a link that shows the new version to whoever has it, at any weight',
    scope: 'operate',
    params: ROLLOUT_PARAMS,
    body: PreviewRequest,
    problems: ['E_NOT_FOUND', 'E_CONFLICT', 'E_STATE_WRITE', 'E_SHUTTING_DOWN'],
    success: { status: 201, description: 'The only answer that has the token', schema: Preview },
    handle: (ports, { params: { namespace, name }, body, by }) => ports.preview(namespace, name, body, by),
  }),
];
