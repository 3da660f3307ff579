/** For those who watch: events, the live picture, logs of processes, how the evidence of a run has grown. */
import type { IncomingMessage } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { z } from 'zod';
import { nearest } from '../../base/nearest.ts';
import type { EventHub } from '../events.ts';
import { requireSameSite } from '../guard.ts';
import { Evidence, LiveUpdate, ProcessLog, type Topic, TOPICS } from '../live-types.ts';
import { type Asked, NAME, type Operation, operation } from '../operation.ts';
import { ROLLOUT_PARAMS } from './rollouts.ts';

const STREAM = 'text/event-stream';
const DEFAULT_LINES = 100;
const MAX_LINES = 5000;

/** A service's, a version's and a number, as the supervisor joins them. */
const ProcessName = z.string().regex(/^[A-Za-z0-9][-A-Za-z0-9_.]{0,400}$/, { error: 'is not a name of a process, as reviews-v2-1' });

/** `live,rollouts` */
const TopicList = z
  .string()
  .max(200)
  .transform((text, context): ReadonlySet<Topic> => {
    const topics = new Set<Topic>();
    for (const name of text.split(',')) {
      const topic = TOPICS.find((known) => known === name);
      if (topic !== undefined) topics.add(topic);
      else {
        const close = nearest(name, TOPICS);
        const suggestion = close === undefined ? '' : `; did you mean ${close}?`;
        context.addIssue(`takes some of ${TOPICS.join(', ')} with commas between them, found '${name}'${suggestion}`);
      }
    }
    return topics;
  })
  .meta({ description: `of ${TOPICS.join(', ')}, with commas between them; all of them unless stated` });

const Lines = z
  .string()
  .regex(/^\d{1,4}$/, { error: `must be a whole number from 1 to ${MAX_LINES}` })
  .transform(Number)
  .refine((lines) => lines >= 1 && lines <= MAX_LINES, { error: `must be a whole number from 1 to ${MAX_LINES}` })
  .meta({ description: `how many of the last lines, 1 to ${MAX_LINES}; ${DEFAULT_LINES} unless stated` });

export const LIVE: readonly Operation[] = [
  operation({
    id: 'watchEvents',
    method: 'GET',
    path: '/api/v1/events',
    summary: 'What is served, released and configured, as it changes',
    description:
      'Server-sent events. `live`: LiveUpdate, the first one with everything, then once a second what has changed. `rollout`: a Rollout as getRollout has it, all of them first. ' +
      '`rolloutGone`: RolloutGone. `configuration`: ConfigurationSummary. `audit`: an entry of the audit log. A reader that is more than 256 KiB behind is told `resync`, ' +
      'and then everything as at the beginning. A comment comes every ten seconds.',
    scope: 'read',
    query: { topics: TopicList.optional() },
    problems: ['E_ADMIN_CROSS_SITE', 'E_ADMIN_TOO_MANY_STREAMS', 'E_SHUTTING_DOWN'],
    success: { description: 'Events until one side ends it', contentType: STREAM },
    handle: ({ events }, { query, caller, asked }) =>
      opened(asked, events, () => events.watch(asked.outgoing, caller, query.topics ?? new Set(TOPICS))),
  }),
  operation({
    id: 'getLive',
    method: 'GET',
    path: '/api/v1/live',
    summary: 'What every service and version is serving now',
    description: 'The first answer after ten seconds without a question or a watcher takes a second: rates have to be measured.',
    scope: 'read',
    problems: [],
    success: { description: 'Every service', schema: LiveUpdate },
    handle: async (ports) => new Response(await ports.live(), { headers: { 'content-type': 'application/json' } }),
  }),
  operation({
    id: 'getEvidence',
    method: 'GET',
    path: '/api/v1/rollouts/{namespace}/{name}/evidence',
    summary: 'How the evidence of the last run of a release has grown',
    scope: 'read',
    params: ROLLOUT_PARAMS,
    problems: ['E_NOT_FOUND'],
    success: { description: 'At most 600 points, the last one of this moment while the run is under way', schema: Evidence },
    handle: (ports, { params: { namespace, name } }) => ports.evidence(namespace, name),
  }),
  operation({
    id: 'getProcessLog',
    method: 'GET',
    path: '/api/v1/processes/{process}/log',
    summary: 'The last lines that a version run by Serin has printed',
    description:
      'By the name of a process or of its version, `reviews-v2`; all processes of a version have one log. With `follow=true` events `line` with a LogLine, first the last ' +
      'lines, then those that come. What is known to be a secret is left out of lines.',
    scope: 'read',
    params: { process: ProcessName },
    query: {
      lines: Lines.optional(),
      follow: z.enum(['true', 'false'], { error: 'must be true or false' }).optional(),
      namespace: NAME.optional().meta({ description: 'where there are processes of the same name in several' }),
    },
    problems: ['E_NOT_FOUND', 'E_REQUEST_INVALID', 'E_ADMIN_CROSS_SITE', 'E_ADMIN_TOO_MANY_STREAMS', 'E_SHUTTING_DOWN'],
    success: { description: 'The lines, oldest first', schema: ProcessLog, contentType: STREAM },
    handle: async (ports, { params, query, caller, asked }) => {
      const { lines = DEFAULT_LINES, follow, namespace } = query;
      const log = await ports.processLog({ name: params.process, namespace, lines });
      if (follow !== 'true') return { process: params.process, lines: [...log.lines] };
      return opened(asked, ports.events, () => ports.events.watchAlone(asked.outgoing, caller, log.follow()));
    },
  }),
];

/** @param open Takes the response over, or throws. @throws ProblemError 403, 429, 503 */
function opened({ request, site, incoming, outgoing }: Asked, events: EventHub, open: () => void): Response {
  requireSameSite({ header: (field) => single(incoming, field) }, site, 'streams are opened');
  events.requireRoom();
  if (request.method === 'HEAD') return new Response(null, { headers: { 'content-type': STREAM } });
  // Who has gone meanwhile is not told, and nobody would be told of their going.
  if (!outgoing.destroyed) open();
  return RESPONSE_ALREADY_SENT;
}

/** Those that are looked at here come once, or are joined and then match nothing. */
function single({ headersDistinct }: IncomingMessage, field: string): string | undefined {
  return headersDistinct[field]?.join(', ');
}
