/** Requests through Serin that come when they come, whatever became of those before: an open loop, as users are. */
import { Agent, request } from 'node:http';

const agent = new Agent({ keepAlive: true, maxSockets: 200 });

/** Asks once; resolves when the answer is there, or the connection has failed. */
export function askOnce(port: number, headers: Readonly<Record<string, string>>): Promise<void> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, headers, agent }, (response) => {
      response.resume();
      response.on('close', resolve);
    });
    asked.on('error', () => resolve());
    asked.end();
  });
}

/**
 * Asks at random moments (a Poisson process), at a rate that may change.
 *
 * @param ratePerS  At this moment.
 * @returns         Ends it.
 */
export function askAtRandom(ratePerS: () => number, ask: () => unknown): () => void {
  let timer: NodeJS.Timeout;
  let dueAt = performance.now();
  const next = (): void => {
    while (dueAt <= performance.now()) {
      ask();
      dueAt += (-1000 * Math.log(1 - Math.random())) / ratePerS();
    }
    timer = setTimeout(next, Math.max(0, dueAt - performance.now()));
  };
  next();
  return () => clearTimeout(timer);
}

export function endTraffic(): void {
  agent.destroy();
}
