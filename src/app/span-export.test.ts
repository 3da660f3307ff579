/** Spans to a collector of the test's own: what arrives by OTLP, and what a collector that is gone costs. */
import { createServer, type Server } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import type { SpanRecord } from '../telemetry/span-record.ts';
import { silentLogger } from './logger.ts';
import { SpanExport } from './span-export.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

interface Received {
  readonly path: string | undefined;
  readonly type: string | undefined;
  readonly body: unknown;
}

async function collector(status: number): Promise<{ readonly url: string; readonly received: Received[] }> {
  const received: Received[] = [];
  const started = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      received.push({ path: request.url, type: request.headers['content-type'], body: JSON.parse(body) });
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  const address = started.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/v1/traces`, received };
}

const SPAN: SpanRecord = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentSpanId: 'b7ad6b7169203331',
  kind: 'client',
  name: 'router v1 egress',
  startMs: 1_700_000_000_123.5,
  durationMs: 2.25,
  isError: true,
  attributes: { 'http.status_code': '503' },
};

test('a span arrives as it was made', async () => {
  const { url, received } = await collector(200);
  const spans = await SpanExport.start({ url, service: 'shop' }, systemClock, silentLogger());
  spans.write([SPAN]);
  await spans.close();
  expect([spans.sent, spans.dropped, received.length]).toEqual([1, 0, 1]);
  expect(received[0]).toMatchObject({ path: '/v1/traces', type: 'application/json' });
  expect(received[0]?.body).toMatchObject({
    resourceSpans: [
      {
        resource: { attributes: expect.arrayContaining([{ key: 'service.name', value: { stringValue: 'shop' } }]) },
        scopeSpans: [
          {
            scope: { name: 'serin' },
            spans: [
              {
                traceId: SPAN.traceId,
                spanId: SPAN.spanId,
                parentSpanId: SPAN.parentSpanId,
                name: SPAN.name,
                kind: 3,
                startTimeUnixNano: '1700000000123500000',
                endTimeUnixNano: '1700000000125750000',
                attributes: [{ key: 'http.status_code', value: { stringValue: '503' } }],
                status: { code: 2 },
              },
            ],
          },
        ],
      },
    ],
  });
});

test('a collector that refuses, or is gone, costs spans, which are counted', async () => {
  const { url } = await collector(400);
  const refused = await SpanExport.start({ url, service: 'shop' }, systemClock, silentLogger());
  refused.write([SPAN, SPAN]);
  await refused.close();
  expect([refused.sent, refused.dropped]).toEqual([0, 2]);
});

test('more than may wait is left out and counted', async () => {
  const { url } = await collector(200);
  const spans = await SpanExport.start({ url, service: 'shop' }, systemClock, silentLogger());
  spans.write(Array.from({ length: 10_000 }, () => SPAN));
  expect(spans.dropped).toBe(10_000 - 8192);
  await spans.close();
  expect(spans.sent).toBe(8192);
});
