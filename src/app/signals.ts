/**
 * What the process does about signals and about exceptions nobody caught, while a server runs in it.
 *
 * SIGTERM, SIGINT  first: stop gracefully (readiness 503, drain, exit 0); second: end at once.
 * SIGHUP           read the configuration again now.
 * exceptions       counted and logged; one request's trouble never ends the process (reliability P85).
 */
import type { Logger } from './logger.ts';
import type { RunningServer } from './serve.ts';

/** Exit codes of a process that was made to end: 128 + the signal's number. */
const FORCED_EXIT = { SIGINT: 130, SIGTERM: 143 } as const;

/** Resolves when the server has stopped because a signal asked for it. */
export function runUntilStopped(server: RunningServer, logger: Logger): Promise<void> {
  return new Promise((resolve) => {
    let stopping = false;
    const stop = (signal: keyof typeof FORCED_EXIT): void => {
      if (stopping) {
        logger.warn(`${signal} again: ending now, requests in flight are lost`);
        process.exit(FORCED_EXIT[signal]);
      }
      stopping = true;
      logger.info(`${signal}: draining; send it again to end now`);
      void server.stop().then(resolve, (error: unknown) => {
        logger.error({ err: error }, 'stopping failed');
        resolve();
      });
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    process.on('SIGHUP', () => void server.reload());
    const count = (what: string) => (error: unknown) => {
      server.countException();
      logger.error({ err: error }, what);
    };
    process.on('uncaughtException', count('an exception nobody caught'));
    process.on('unhandledRejection', count('a promise rejection nobody handled'));
  });
}
