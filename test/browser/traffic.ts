/** A steady stream of requests to one host, over one agent that keeps its connections. */
import { Agent, request } from 'node:http';

const BATCH_MS = 50;

/** @returns Ends it and waits for what is in flight. Requests that fail are of no interest here. */
export function startTraffic(to: { readonly host: string; readonly port: number }, host: string, perSecond: number): () => Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const inFlight = new Set<Promise<void>>();
  const send = (): Promise<void> =>
    new Promise((resolve) => {
      request({ ...to, agent, headers: { host } }, (response) => response.resume().once('close', resolve))
        .once('error', () => resolve())
        .end();
    });
  const timer = setInterval(() => {
    if (inFlight.size > perSecond) return;
    for (let n = 0; n < (perSecond * BATCH_MS) / 1000; n++) {
      const sent = send();
      inFlight.add(sent);
      void sent.then(() => inFlight.delete(sent));
    }
  }, BATCH_MS);
  return async () => {
    clearInterval(timer);
    await Promise.all(inFlight);
    agent.destroy();
  };
}
