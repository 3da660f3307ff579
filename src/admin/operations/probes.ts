/** For those who watch the program: probes and metrics. Nobody has to say who they are. */
import { type Operation, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';

const TEXT = 'text/plain';

export const PROBES: readonly Operation[] = [
  operation({
    id: 'live',
    method: 'GET',
    path: '/livez',
    summary: 'Whether the program runs',
    scope: undefined,
    problems: [],
    success: { description: '`ok`', contentType: TEXT },
    handle: () => new Response('ok\n'),
  }),
  operation({
    id: 'ready',
    method: 'GET',
    path: '/readyz',
    summary: 'Whether every listener is bound and nothing is being shut down',
    scope: undefined,
    problems: ['E_NOT_READY'],
    success: { description: '`ok`', contentType: TEXT },
    handle: (ports) => {
      const { ready, reasons } = ports.readiness();
      if (!ready) throw new ProblemError(503, 'E_NOT_READY', reasons.join('; '));
      return new Response('ok\n');
    },
  }),
  operation({
    id: 'metrics',
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics for Prometheus',
    description: 'Where the admin address is not on loopback it needs a token with the scope `read`.',
    scope: undefined,
    isForOwnMachine: true,
    problems: ['E_ADMIN_UNAUTHORIZED', 'E_ADMIN_TOO_MANY_FAILURES'],
    success: { description: 'The text format of Prometheus', contentType: TEXT },
    handle: async (ports) => {
      const { contentType, text } = await ports.metrics();
      return new Response(text, { headers: { 'content-type': contentType } });
    },
  }),
];
