/** The access log over sockets: one line a request, field by field, for every way to end. */
import { describe, expect, test } from 'vitest';
import type { AccessLines, AccessLogSetting } from '../../src/proxy/access-log.ts';
import { http2Ask, http2Client } from '../helpers/http2-client.ts';
import type { RoutingTable } from '../../src/routing/table.ts';
import { answering } from '../helpers/raw-upstream.ts';
import type { Rig, RigOptions } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, table } from '../helpers/tables.ts';
import { GET, chunked, get, rig } from '../helpers/wire.ts';

const ALL: AccessLogSetting = { kind: 'share', share: 1 };

interface Logged {
  readonly started: Rig;
  /** Every line: the data plane is closed first, and hands over what it has. */
  readonly lines: () => Promise<Record<string, unknown>[]>;
  readonly text: () => string;
}

async function logged(options: RigOptions = {}, accessLog: AccessLogSetting = ALL): Promise<Logged> {
  let text = '';
  const onAccessLines = (lines: AccessLines): boolean => {
    text += lines.text;
    return true;
  };
  const started = await rig({ ...options, options: { ...options.options, accessLog, onAccessLines } });
  const lines = async (): Promise<Record<string, unknown>[]> => {
    await started.proxy.close();
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { started, lines, text: () => text };
}

/** Everything goes to one upstream, of one host. */
const oneHost = (port: number): RoutingTable => table([hosts(['a'], [route('/', forward())])], [cluster(port)]);

/** Of the first line, what is asked for. */
async function said({ lines }: Logged, ...fields: readonly string[]): Promise<unknown[]> {
  const [line] = await lines();
  return fields.map((field) => line?.[field]);
}

test('the whole line', async () => {
  const log = await logged();
  const client = await log.started.client();
  await client.ask(get('User-Agent: curl/8\r\nX-Request-Id: abc-1\r\nX-Forwarded-For: 6.6.6.6\r\n', '/a?b=1'));
  await log.lines();
  const varied = log
    .text()
    .replace(/"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/, '"TIME"')
    .replace(/"(duration|upstream_service_time)":\d+/g, '"$1":MS')
    .replaceAll(String(log.started.upstream.port), 'UPSTREAM')
    .replaceAll(String(log.started.port), 'PROXY')
    .replace(/("downstream_remote_address":"127\.0\.0\.1:)\d+"/, '$1CLIENT"');
  expect(varied).toBe(
    '{"start_time":"TIME","method":"GET","path":"/a?b=1","protocol":"HTTP/1.1","response_code":200,"response_flags":"-"' +
      ',"response_code_details":"via_upstream","bytes_received":0,"bytes_sent":2,"duration":MS,"upstream_service_time":MS' +
      ',"x_forwarded_for":"127.0.0.1","user_agent":"curl/8","request_id":"abc-1","authority":"a","upstream_host":"127.0.0.1:UPSTREAM"' +
      ',"upstream_cluster":"outbound|80||upstream.test","downstream_local_address":"127.0.0.1:PROXY"' +
      ',"downstream_remote_address":"127.0.0.1:CLIENT","requested_server_name":null,"route_name":"route /"' +
      ',"attempts":1,"fallback_from":null,"trace_id":null}\n',
  );
});

test('bytes of both bodies are those of the bodies, however they are framed', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n';
  const log = await logged({ script: answering(answer) });
  await (await log.started.client()).ask(chunked('5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n'));
  expect(await said(log, 'bytes_received', 'bytes_sent')).toEqual([6, 7]);
});

describe('how a request ended', () => {
  test.each<readonly [string, RigOptions, string, number, string, string]>([
    ['no route', {}, GET.replace('Host: a', 'Host: b'), 404, 'NR', 'route_not_found'],
    ['no answer that is one', { script: answering('SSH\r\n') }, GET, 502, 'UPE', 'upstream_reset_before_response_started{protocol_error}'],
    ['broken off', { script: (side) => side.close() }, GET, 502, 'UC', 'upstream_reset_before_response_started{connection_termination}'],
    ['no time left', { script: () => undefined, action: { timeoutMs: 200 } }, GET, 504, 'UT', 'response_timeout'],
    ['no such method', {}, GET.replace('GET', 'TRACE'), 405, '-', 'method_not_allowed'],
  ])('%s', async (_what, options, request, status, flags, details) => {
    const log = await logged(status === 404 ? { table: oneHost } : options);
    await (await log.started.client()).ask(request);
    expect(await said(log, 'response_code', 'response_flags', 'response_code_details')).toEqual([status, flags, details]);
  });

  test('the client went away', async () => {
    const log = await logged({ script: async (side) => void (await side.head()) });
    const client = await log.started.sent(GET);
    await (await log.started.upstream.connection(0)).head();
    client.reset();
    await (await log.started.upstream.connection(0)).untilEnded();
    expect(await said(log, 'response_code', 'response_flags', 'response_code_details')).toEqual([
      499,
      'DC',
      'downstream_remote_disconnect',
    ]);
  });

  test('what is no request has a line, too', async () => {
    const log = await logged();
    await (await log.started.client()).ask('GET /\r\n\r\n');
    expect(await said(log, 'method', 'path', 'response_code', 'response_flags', 'response_code_details')).toEqual([
      null,
      null,
      400,
      'DPE',
      'bad_request_line',
    ]);
  });
});

test('a request by HTTP/2 has the same line', async () => {
  const log = await logged();
  const answer = await http2Ask(await http2Client(log.started.port), { ':method': 'POST', ':path': '/h2', 'user-agent': 'two' }, 'hello');
  expect(answer.status).toBe(200);
  expect(await said(log, 'protocol', 'method', 'path', 'bytes_received', 'bytes_sent', 'user_agent', 'response_code_details')).toEqual([
    'HTTP/2',
    'POST',
    '/h2',
    5,
    2,
    'two',
    'via_upstream',
  ]);
});

test('an upgrade is logged when it is agreed to', async () => {
  const agreed = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n';
  const log = await logged({ script: answering(agreed) });
  const client = await log.started.sent(
    get(
      `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\nUser-Agent: x\r\n`,
    ),
  );
  expect((await client.response()).status).toBe(101);
  expect(await said(log, 'response_code', 'response_flags', 'response_code_details', 'user_agent')).toEqual([
    101,
    '-',
    'via_upstream',
    'x',
  ]);
});

test('nothing a client sends ends the line, speaks to a terminal, or is a secret', async () => {
  const log = await logged();
  const agent = 'x"\\\x9b31m\xe2\x80\xa8';
  await (
    await log.started.client()
  ).ask(get(`User-Agent: ${agent}\r\n`, '/a?token=s3cret&x=1&serin-preview=abc.def&t%6Fken=s3cret&Api-Key=s3cret'));
  expect(await said(log, 'user_agent', 'path')).toEqual([
    agent,
    '/a?token=redacted&x=1&serin-preview=redacted&t%6Fken=redacted&Api-Key=redacted',
  ]);
  expect(log.text()).toMatch(/^[ -~]+\n$/);
  expect(log.text()).not.toMatch(/s3cret|abc\.def/);
});

test('a long field is cut, and a line stays a line', async () => {
  const log = await logged();
  await (await log.started.client()).ask(get(`User-Agent: ${'x'.repeat(10_000)}\r\n`));
  expect((await said(log, 'user_agent')).map((agent) => String(agent).length)).toEqual([4096]);
});

test('errors alone: only what failed', async () => {
  const log = await logged(
    { script: answering((_request, index) => `HTTP/1.1 ${[200, 404, 503][index] ?? 200} X\r\nContent-Length: 0\r\n\r\n`) },
    {
      kind: 'errors',
    },
  );
  const client = await log.started.client();
  for (const _ of [1, 2, 3, 4]) await client.ask(GET);
  expect((await log.lines()).map((line) => line['response_code'])).toEqual([503]);
});

test('a share: drawn a request', async () => {
  const log = await logged({}, { kind: 'share', share: 0.5 });
  const client = await log.started.client();
  for (let index = 0; index < 400; index++) await client.ask(GET);
  const count = (await log.lines()).length;
  // Ten standard deviations of 400 draws.
  expect(count).toBeGreaterThan(100);
  expect(count).toBeLessThan(300);
});

test('lines of requests on one connection do not mix: a refused target says nothing of the request before', async () => {
  const log = await logged();
  const client = await log.started.client();
  await client.ask(get('User-Agent: one\r\n', '/one'));
  await client.ask('GET /%zz HTTP/1.1\r\nHost: b\r\n\r\n');
  const lines = await log.lines();
  expect(lines.map(({ path, user_agent, route_name, authority }) => [path, user_agent, route_name, authority])).toEqual([
    ['/one', 'one', 'route /', 'a'],
    ['/%zz', null, null, 'b'],
  ]);
});
