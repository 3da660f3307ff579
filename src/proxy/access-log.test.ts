/** What the access log does when nobody takes its lines: it leaves them out, counts them, and goes on when there is room again. */
import { expect, test } from 'vitest';
import { StatsRegistry, StatsWriter } from '../telemetry/shared-stats.ts';
import type { AccessRecord } from '../telemetry/access-record.ts';
import { AccessLog } from './access-log.ts';
import type { AccessLines } from './access-log.ts';

const RECORD: AccessRecord = {
  startTimeMs: 0,
  method: 'GET',
  path: '/',
  protocol: 'HTTP/1.1',
  status: 200,
  flags: '-',
  details: 'via_upstream',
  bytesReceived: 0,
  bytesSent: 2,
  durationMs: 1,
  upstreamServiceMs: 1,
  forwardedFor: '127.0.0.1',
  userAgent: null,
  requestId: null,
  authority: 'a',
  upstreamHost: null,
  upstreamCluster: null,
  downstreamLocalAddress: null,
  downstreamRemoteAddress: null,
  serverName: null,
  routeName: null,
  attempts: 1,
  fallbackFrom: null,
  traceId: null,
};

test('lines come in large pieces; what nobody takes is bounded, left out and counted', () => {
  const registry = new StatsRegistry(1);
  const writer = new StatsWriter(0, 1);
  writer.attach(registry.segments());
  const handed: AccessLines[] = [];
  const log = new AccessLog({ kind: 'share', share: 1 }, Math.random, writer.worker, (lines) => handed.push(lines));
  const dropped = (): number => writer.worker.totals().accessLogDroppedTotal;
  let written = 0;
  for (; dropped() === 0; written++) log.write(RECORD);
  log.flush();
  expect(handed.reduce((sum, { count }) => sum + count, 0)).toBe(written - 1);
  expect(handed.length).toBeLessThan(written / 100);
  const chars = handed.reduce((sum, { text }) => sum + text.length, 0);
  expect(chars).toBeLessThan(4.5 * 1024 * 1024);
  // Room again.
  for (const { text } of handed.splice(0)) log.taken(text.length, 0);
  log.write(RECORD);
  log.flush();
  expect([handed.map(({ count }) => count), dropped()]).toEqual([[1], 1]);
  // What could not be kept is counted like what was not handed over.
  log.taken(0, 5);
  expect(dropped()).toBe(6);
});
