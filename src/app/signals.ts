/**
 * What the process does about signals and about exceptions nobody caught, while a server runs in it.
 *
 * SIGTERM, SIGINT  first: stop gracefully (readiness 503, drain, exit 0); second: end at once. Below the launcher, which passes signals on, one that
 *                  was sent to the whole group comes twice; two that come together are one.
 * SIGHUP           read the configuration again now.
 * exceptions       counted and logged; one request's trouble never ends the process (reliability P85).
 */
import type { Logger } from './logger.ts';
import type { RunningServer } from './serve.ts';

/** Exit codes of a process that was made to end: 128 + the signal's number. */
const FORCED_EXIT = { SIGINT: 130, SIGTERM: 143 } as const;

/** How far apart the two copies of one signal may come. */
const SAME_SIGNAL_MS = 500;

/** Resolves when the server has stopped because a signal asked for it. */
export function runUntilStopped(server: RunningServer, logger: Logger): Promise<void> {
  return new Promise((resolve) => {
    let stoppingSince: number | undefined;
    const stop = (signal: keyof typeof FORCED_EXIT): void => {
      if (stoppingSince !== undefined) {
        if (process.connected && performance.now() - stoppingSince < SAME_SIGNAL_MS) return;
        logger.warn(`${signal} again: ending now, requests in flight are lost`);
        process.exit(FORCED_EXIT[signal]);
      }
      stoppingSince = performance.now();
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
