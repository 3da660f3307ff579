/** What happens to the processes Serin runs, as lines of the log. */
import type { SupervisorEvent } from '../workload/supervisor.ts';
import type { Logger } from './logger.ts';

/** Of what a process printed before it ended: the rest is in its log file. */
const SHOWN_LINES = 3;

export function logProcess(logger: Logger, event: SupervisorEvent): void {
  switch (event.kind) {
    case 'ready': {
      const { name, pid, port, tookMs } = event;
      logger.info({ process: name, pid, port, tookMs: Math.round(tookMs) }, 'process is ready');
      return;
    }
    case 'ended': {
      const { name, pid, how, wasReady, restartMs, output } = event;
      const when = wasReady ? 'process ended' : 'process ended before it was ready';
      logger.warn({ process: name, pid, ...lastWords(output) }, `${when}: ${how}; it is started again in ${Math.round(restartMs)} ms`);
      return;
    }
    case 'failed': {
      const { name, pid, why, restartMs, output } = event;
      logger.warn(
        { process: name, pid, ...lastWords(output) },
        `process does not serve: ${why}; next start in ${Math.round(restartMs)} ms`,
      );
      return;
    }
    case 'killed':
      logger.warn(
        { process: event.name, pid: event.pid },
        `process did not end within ${event.afterMs} ms of SIGTERM: killed with its group`,
      );
      return;
    case 'drained':
      if (event.leftRequests === 0) logger.info({ process: event.name }, 'process has no requests any more: stopping it');
      else
        logger.warn(
          { process: event.name, requests: event.leftRequests },
          'drain timeout has passed: stopping a process with requests in flight',
        );
      return;
    case 'empty':
      logger.error({ version: event.name }, 'no process of this version is ready: requests to it get 503');
      return;
    case 'orphan':
      logger.warn({ process: event.name, pid: event.pid }, 'ended a process that an earlier Serin, killed, had left running');
      return;
    case 'problem':
      logger.error(event.why);
  }
}

function lastWords(output: readonly string[]): { readonly output?: string } {
  return output.length === 0 ? {} : { output: output.slice(-SHOWN_LINES).join(' | ') };
}
