/** `serin up --otlp`: spans of every worker's requests reach a collector, those of a client's trace as its children; one that is not there harms nobody. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { SerinProcess } from '../helpers/serin-process.ts';
import { ask, close, listen, startUpstream, type Upstream } from '../helpers/upstream.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

const Spans = z.object({
  resourceSpans: z.array(
    z.object({
      scopeSpans: z.array(
        z.object({
          spans: z.array(z.looseObject({ traceId: z.string(), spanId: z.string(), parentSpanId: z.string().optional(), kind: z.number() })),
        }),
      ),
    }),
  ),
});
type Span = z.infer<typeof Spans>['resourceSpans'][number]['scopeSpans'][number]['spans'][number];

let upstream: Upstream;
let collector: Server;
let directory: string;
let port: number;
let spans: Span[];

beforeEach(async () => {
  spans = [];
  upstream = await startUpstream('v1');
  collector = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const { resourceSpans } = Spans.parse(JSON.parse(body));
      spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
      response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/json' }).end('{}');
    });
  });
  port = await listen(collector);
  directory = mkdtempSync(join(tmpdir(), 'serin-trace-'));
  writeFileSync(
    join(directory, 'app.yaml'),
    `services: { app: { versions: { v1: 'http://127.0.0.1:${upstream.port}' }, routes: [{ to: v1 }] } }\n`,
  );
});
afterEach(async () => {
  await Promise.all([upstream.close(), close(collector)]);
  rmSync(directory, { recursive: true, force: true });
});

function up(args: readonly string[], env: Readonly<Record<string, string>> = {}): SerinProcess {
  const addresses = ['--mesh', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--state', join(directory, 'state')];
  return new SerinProcess(['up', '-f', join(directory, 'app.yaml'), ...addresses, ...args], { env });
}

async function ended(process_: SerinProcess): Promise<number | null> {
  process_.signal('SIGTERM');
  return (await process_.finished).code;
}

const parent = { host: 'app', traceparent: `00-${TRACE}-${SPAN}-01` };

test('with --otlp and two workers', { timeout: 60_000 }, async () => {
  const process_ = await up(['--otlp', `http://127.0.0.1:${port}`, '--workers', '2']).ready();
  await Promise.all(Array.from({ length: 20 }, () => ask(process_.address('mesh'), { headers: parent })));
  expect(await ended(process_)).toBe(0);
  const servers = spans.filter(({ kind }) => kind === 2);
  expect([spans.length, servers.length]).toEqual([40, 20]);
  expect(new Set(servers.map(({ traceId, parentSpanId }) => `${traceId} ${parentSpanId}`))).toEqual(new Set([`${TRACE} ${SPAN}`]));
});

test('with the environment of OpenTelemetry, and every trace', { timeout: 60_000 }, async () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` };
  const process_ = await up(['--trace-sampling', '100'], env).ready();
  await ask(process_.address('mesh'), { headers: { host: 'app' } });
  await ended(process_);
  expect(spans.map(({ kind, parentSpanId }) => [kind, parentSpanId === undefined])).toEqual([
    [3, false],
    [2, true],
  ]);
});

test('with a collector that is not there requests are answered, and it says so', { timeout: 60_000 }, async () => {
  await close(collector);
  const process_ = await up(['--otlp', `http://127.0.0.1:${port}`]).ready();
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(process_.address('mesh'), { headers: parent })));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  await process_.logged(/spans are lost/);
  expect(await ended(process_)).toBe(0);
});

test('sampling without a collector, and what is no address, are refused', { timeout: 60_000 }, async () => {
  for (const [args, message] of [
    [['--trace-sampling', '10'], '--trace-sampling without a collector samples nothing'],
    [['--otlp', 'collector:4318'], "expected an address such as http://127.0.0.1:4318, or off, found 'collector:4318'"],
  ] as const) {
    const { code, err } = await up(args).finished;
    expect([code !== 0, err.includes(message) ? message : err]).toEqual([true, message]);
  }
});
