/** What happens to a request on its way: target, framing, hop-by-hop fields, identity. Rule numbers are those of the test titles only. */
import { describe, expect, test } from 'vitest';
import { NO_HEADER_OPS } from '../../src/routing/table.ts';
import { cluster, forward, hosts, route, setHeaders, table } from '../helpers/tables.ts';
import { OK } from '../helpers/raw-upstream.ts';
import { readRequest, values } from '../helpers/reference-message.ts';
import type { ReferenceRequest } from '../helpers/reference-message.ts';
import { GET, chunked, get, rig } from '../helpers/wire.ts';
import type { RigOptions } from '../helpers/rig.ts';

/** What the upstream receives when a client sends these bytes; the answer must be a 200. */
async function forwarded(bytes: string, options: RigOptions = {}): Promise<ReferenceRequest> {
  const started = await rig(options);
  const client = await started.sent(bytes);
  expect((await client.response()).status).toBe(200);
  const [request] = started.upstream.requests;
  if (request === undefined) throw new Error('nothing reached the upstream');
  return request;
}

async function answerTo(bytes: string, options: RigOptions = {}): Promise<{ readonly status: number; readonly reached: string }> {
  const started = await rig(options);
  const client = await started.sent(bytes);
  const { status } = await client.response();
  return { status, reached: started.upstream.text };
}

const PROTECTED = {
  table: (port: number) =>
    table(
      [hosts(['*'], [route('/admin', { kind: 'directResponse', status: 403, body: new Uint8Array() }), route('/', forward())])],
      [cluster(port)],
    ),
} satisfies RigOptions;

describe('request line and target', () => {
  test.each(['1.0', '1.1', '1.5'])('[P13] [P14] a request in HTTP/%s goes on as HTTP/1.1', async (version) => {
    const request = await forwarded(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
    expect(request.version).toBe('1.1');
  });

  test('[P15] an HTTP/1.0 request without Host gets the upstream its own name', async () => {
    expect(values(await forwarded('GET / HTTP/1.0\r\n\r\n'), 'host')).toEqual(['upstream.test']);
  });

  test.each(['get', 'Get', 'PROPFIND', "M-SEARCH!#$%&'*+.^_`|~9"])('[P16] method %s goes on as it is', async (method) => {
    expect((await forwarded(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`)).method).toBe(method);
  });

  test('[P16] methods are matched case-sensitively', async () => {
    const onlyGet = {
      table: (port: number) =>
        table(
          [
            hosts(
              ['*'],
              [
                route('/', forward(), {
                  matches: [{ path: '', method: { kind: 'exact', value: 'GET' }, headers: [], queryParams: [] }],
                }),
              ],
            ),
          ],
          [cluster(port)],
        ),
    };
    expect((await answerTo(GET, onlyGet)).status).toBe(200);
    expect((await answerTo('get / HTTP/1.1\r\nHost: a\r\n\r\n', onlyGet)).status).toBe(404);
  });

  test('[P17] an absolute target routes by its own authority; the received Host is ignored', async () => {
    const byHost = {
      table: (port: number) => table([hosts(['b.example'], [route('/', forward())])], [cluster(port)]),
    };
    const request = await forwarded('GET HTTP://B.example:80/p?q HTTP/1.1\r\nHost: a\r\n\r\n', byHost);
    expect(request.target).toBe('/p?q');
    expect(values(request, 'host')).toEqual(['B.example:80']);
    expect((await answerTo('GET http://a/ HTTP/1.1\r\nHost: b.example\r\n\r\n', byHost)).status).toBe(404);
  });

  test.each([
    ['http://a', '/'],
    ['http://a?x', '/?x'],
    ['http://a/', '/'],
  ])('[P17] %s becomes %s', async (target, expected) => {
    expect((await forwarded(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)).target).toBe(expected);
  });

  test('[B-109] Host is matched without regard to case and a final dot', async () => {
    const byHost = { table: (port: number) => table([hosts(['a.example'], [route('/', forward())])], [cluster(port)]) };
    const request = await forwarded('GET / HTTP/1.1\r\nHost: A.Example.\r\n\r\n', byHost);
    expect(values(request, 'host')).toEqual(['A.Example.']);
  });

  test('[P18] OPTIONS * is answered with what is allowed, and nothing reaches the upstream', async () => {
    const started = await rig();
    const client = await started.sent('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await client.response();
    expect(answer.status).toBe(204);
    expect(values(answer, 'allow')).toHaveLength(1);
    expect(started.upstream.connections).toEqual([]);
  });

  test.each([
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/a/%2e%2E/b', '/b'],
    ['/a/.%2e/b', '/b'],
    ['/%61dmin%7Ex', '/admin~x'],
    ['/a%2fb', '/a%2Fb'],
    ['/a%5cb', '/a%5Cb'],
    ['/a%c3%a4', '/a%C3%A4'],
    ['//a', '//a'],
    ['/a//b', '/a//b'],
    ['/a/..', '/'],
    ['/a/.', '/a/'],
    ['/a/b/..', '/a/'],
    ['/%252e%252e/a', '/%252e%252e/a'],
    ['/a;/../b', '/b'],
    ['/a.b?x=/../y', '/a.b?x=/../y'],
    ['/a?%61', '/a?%61'],
    ['/a?', '/a?'],
    ['/a.b?', '/a.b?'],
    ['/a??', '/a??'],
    ['/...', '/...'],
    ['/.a/..b', '/.a/..b'],
    ["/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@"],
  ])('[P20] %s goes on as %s', async (target, expected) => {
    expect((await forwarded(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)).target).toBe(expected);
  });

  test.each([
    '/a/%2e%2e/admin',
    '/./admin',
    '/%61dmin',
    '/a;/../admin',
    '/admin%2f',
    '/x/%2E./admin/y',
    'http://a/x/../admin',
    '/a/b/../../admin',
  ])('[P20] [B-144] %s meets the rule for /admin', async (target) => {
    const { status, reached } = await answerTo(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, PROTECTED);
    expect(status).toBe(403);
    expect(reached).toBe('');
  });

  test.each(['/a/..%2fadmin', '/a%5c..%5cadmin', '/admin%2f', '/a%2F'])('[P20] %s is refused where encoded slashes are', async (target) => {
    const { status, reached } = await answerTo(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, {
      ...PROTECTED,
      options: { path: { escapedSlashes: 'reject' } },
    });
    expect(status).toBe(400);
    expect(reached).toBe('');
  });

  test.each(['//admin', '///admin', '/a/..//admin', '/.//admin'])(
    '[P20] %s meets the rule for /admin where slashes are merged',
    async (target) => {
      const options = { ...PROTECTED, options: { path: { mergeSlashes: true } } };
      expect(await answerTo(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, options)).toEqual({ status: 403, reached: '' });
    },
  );

  test('[P20] merged slashes are what goes on', async () => {
    const request = await forwarded('GET //x///y?a//b HTTP/1.1\r\nHost: a\r\n\r\n', { options: { path: { mergeSlashes: true } } });
    expect(request.target).toBe('/x/y?a//b');
  });

  test('[P21] a rewritten path is normalised again', async () => {
    const rewriting = {
      table: (port: number) =>
        table([hosts(['*'], [route('/foo', forward({ rewrite: { path: { kind: 'prefix', value: '/' } } }))])], [cluster(port)]),
    };
    expect((await forwarded('GET /foo/bar?q HTTP/1.1\r\nHost: a\r\n\r\n', rewriting)).target).toBe('//bar?q');
    expect((await forwarded('GET /foo../admin HTTP/1.1\r\nHost: a\r\n\r\n', rewriting)).target).not.toContain('..');
  });

  test('[P22] CONNECT and TRACE are not allowed, and the answer says what is', async () => {
    for (const line of ['CONNECT a:80', 'TRACE /']) {
      const started = await rig();
      const client = await started.sent(`${line} HTTP/1.1\r\nHost: a:80\r\n\r\n`);
      const [answer] = await client.untilServerCloses();
      expect(answer?.status).toBe(405);
      expect(values(answer ?? { fields: [] }, 'allow')).toHaveLength(1);
      expect(started.upstream.connections).toEqual([]);
    }
  });

  test('[P23] OPTIONS counts Max-Forwards down and is answered here at 0', async () => {
    const options = (value: string): string => `OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${value}\r\n\r\n`;
    expect(values(await forwarded(options('5')), 'max-forwards')).toEqual(['4']);
    expect(await answerTo(options('0'))).toEqual({ status: 204, reached: '' });
    // Of other methods it says nothing.
    expect(values(await forwarded(get('Max-Forwards: 0\r\n')), 'max-forwards')).toEqual(['0']);
  });

  test('[P24] a request that comes back to where it started is stopped', async () => {
    const started = await rig();
    const own = table([hosts(['*'], [route('/', forward())])], [cluster(started.port)]);
    await started.proxy.apply(own, [{ listener: 'mesh', host: '127.0.0.1', port: 0 }]);
    const client = await started.sent(GET);
    const answer = await client.response();
    expect(answer.status).toBe(508);
    const [worker] = started.proxy.stats.workers();
    expect(worker?.downstreamConnectionsTotal).toBeLessThan(10);
  });
});

describe('body framing', () => {
  test('[P30] without Content-Length and Transfer-Encoding there is no body: what follows is the next request', async () => {
    const started = await rig();
    const client = await started.sent(`POST /1 HTTP/1.1\r\nHost: a\r\n\r\n${get('', '/2')}`);
    await client.response();
    await client.response();
    expect(started.upstream.requests.map((request) => request.target)).toEqual(['/1', '/2']);
  });

  test('[P33] a body cut short never reaches the upstream as complete', async () => {
    for (const bytes of ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345', chunked('5\r\n12345\r\n'), chunked('5\r\n123')]) {
      const started = await rig();
      const client = await started.sent(bytes);
      const side = await started.upstream.connection(0);
      await side.until(() => side.text.includes('123'), 'the piece of the body');
      client.end();
      const [answer] = await client.untilServerCloses();
      expect(answer?.status).toBe(400);
      await side.untilClosed();
      expect(started.upstream.requests).toEqual([]);
    }
  });

  test('[P33] a chunked body that turns out malformed is not completed upstream', async () => {
    const started = await rig();
    const client = await started.sent(chunked('5\r\n12345\r\nXX\r\n'));
    const [answer] = await client.untilServerCloses();
    expect(answer?.status).toBe(400);
    for (const side of started.upstream.connections) await side.untilClosed();
    expect(started.upstream.requests).toEqual([]);
  });

  test.each(['GET', 'HEAD', 'DELETE', 'OPTIONS'])('[P34] a body of %s goes on with its framing', async (method) => {
    const body = 'GET /x HTTP/1.1\r\n\r\n';
    const started = await rig();
    const client = await started.sent(`${method} / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await client.response(method);
    const [request] = started.upstream.requests;
    expect([request?.method, request?.framing, request?.body.toString()]).toEqual([method, 'length', body]);
    expect(started.upstream.requests).toHaveLength(1);
  });

  test('[P34] GET, HEAD and DELETE with a body in HTTP/1.0 are refused', async () => {
    for (const method of ['GET', 'DELETE', 'HEAD']) {
      const started = await rig();
      const client = await started.sent(`${method} / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`);
      const [answer] = await client.untilServerCloses(method);
      expect(answer?.status).toBe(400);
      expect(started.upstream.connections).toEqual([]);
    }
  });

  describe('[P35] an answer of our own while the body has still to come', () => {
    const noRoute = { table: (port: number) => table([hosts(['a'], [route('/ok', forward())])], [cluster(port)]) };
    const post = (lines: string): string => `POST /none HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;

    test.each([
      ['in one piece', 'whole'],
      ['octet by octet', 'octets'],
    ] as const)('a short body is read and thrown away, %s', async (_name, cut) => {
      const started = await rig(noRoute);
      const smuggled = get('', '/ok?smuggled');
      for (const bytes of [
        post(`Content-Length: ${smuggled.length}\r\n`) + smuggled,
        post('Transfer-Encoding: chunked\r\n') + `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
      ]) {
        const client = await started.sent(bytes, cut);
        const answer = await client.response();
        expect(answer.status).toBe(404);
        expect(values(answer, 'connection')).toEqual([]);
        expect((await client.ask(get('', '/ok'))).status).toBe(200);
      }
      expect(started.upstream.text).not.toContain('smuggled');
    });

    test('a long body ends the connection, is never taken for requests, and the answer says so', async () => {
      const started = await rig(noRoute);
      const smuggled = get('', '/ok?smuggled').repeat(3000);
      const client = await started.sent(post(`Content-Length: ${smuggled.length}\r\n`) + smuggled);
      const answers = await client.untilServerCloses();
      expect(answers.map((answer) => [answer.status, values(answer, 'connection')])).toEqual([[404, ['close']]]);
      expect(started.upstream.text).toBe('');
    });

    test('a long chunked body ends the connection, also where it is complete', async () => {
      const started = await rig(noRoute);
      const smuggled = get('', '/ok?smuggled');
      const chunk = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n`;
      const client = await started.sent(`${post('Transfer-Encoding: chunked\r\n')}${chunk.repeat(3000)}0\r\n\r\n${smuggled}`);
      const answers = await client.untilServerCloses();
      expect(answers.map((answer) => answer.status)).toEqual([404]);
      expect(started.upstream.text).toBe('');
    });

    test('a body that does not come ends the connection', async () => {
      const started = await rig({ ...noRoute, options: { timeouts: { lingerMs: 40 } } });
      const client = await started.sent(post('Content-Length: 10\r\n'));
      expect((await client.untilServerCloses()).map((answer) => answer.status)).toEqual([404]);
    });

    test('a malformed chunked body ends the connection', async () => {
      const started = await rig(noRoute);
      const client = await started.sent(`${post('Transfer-Encoding: chunked\r\n')}zz\r\n${get('', '/ok?smuggled')}`);
      expect((await client.untilServerCloses()).map((answer) => answer.status)).toEqual([404]);
      expect(started.upstream.text).toBe('');
    });
  });

  test('[P36] framing upstream: as stated, and only where there is a body', async () => {
    expect((await forwarded(GET)).framing).toBe('none');
    const empty = await forwarded('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
    expect(values(empty, 'content-length')).toEqual(['0']);
    const stated = await forwarded('POST / HTTP/1.1\r\nHost: a\r\ncontent-length:3\r\n\r\nabc');
    expect([stated.framing, stated.body.toString()]).toEqual(['length', 'abc']);
    const streamed = await forwarded(chunked('3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'));
    expect([streamed.framing, streamed.body.toString()]).toEqual(['chunked', 'abcde']);
    expect(streamed.head).not.toContain('x=y');
  });

  test('[P36] a body of many pieces and 1 MiB arrives as it was sent, stated or chunked', async () => {
    const body = Buffer.from(Array.from({ length: 1 << 20 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
    const started = await rig();
    const client = await started.client();
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    await client.send(
      body,
      Array.from({ length: 50 }, (_, index) => index * 20_001),
    );
    await client.response();
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    const first = body.subarray(0, 300_000);
    const second = body.subarray(300_000);
    for (const part of [first, second]) {
      await client.send(Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]));
    }
    await client.send('0\r\n\r\n');
    await client.response();
    for (const request of started.upstream.requests) expect(request.body.equals(body)).toBe(true);
    expect(started.upstream.requests).toHaveLength(2);
  });

  test('[P37] trailers of a request are not forwarded and never become fields', async () => {
    const request = await forwarded(chunked('1\r\nx\r\n0\r\nX-Sum: 1\r\nHost: evil\r\nAuthorization: evil\r\n\r\n', 'Trailer: X-Sum\r\n'));
    expect(request.trailers).toEqual([]);
    expect(request.head).not.toMatch(/x-sum: 1|evil/i);
  });
});

describe('hop-by-hop fields and identity', () => {
  test('[P38] what Connection names is removed, Connection itself, and the usual hop-by-hop fields', async () => {
    const request = await forwarded(
      get(
        'A: 1\r\nKeep-Alive: x\r\nConnection: keep-alive, B\r\nB: 2\r\nProxy-Connection: x\r\nConnection: c\r\nC: 3\r\nUpgrade: x\r\nTE: gzip\r\nD: 4\r\n',
      ),
    );
    const names = request.fields.map(([name]) => name.toLowerCase());
    expect(names).toEqual(expect.arrayContaining(['a', 'd']));
    for (const gone of ['connection', 'keep-alive', 'b', 'c', 'proxy-connection', 'upgrade', 'te']) expect(names).not.toContain(gone);
  });

  test('[P39] Connection cannot take away what Serin adds', async () => {
    const request = await forwarded(get('Connection: x-forwarded-for, x-forwarded-proto, via, x-request-id\r\nVia: 1.0 x\r\n'));
    for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'via', 'x-request-id']) expect(values(request, name)).toHaveLength(1);
  });

  test.each([
    ['TE: trailers\r\n', ['trailers']],
    ['TE: gzip, Trailers\r\n', ['trailers']],
    ['TE: trailers\r\nTE: trailers\r\n', ['trailers']],
    ['TE: trailers;q=0.5\r\n', []],
    ['TE: gzip\r\n', []],
    ['TE:\r\n', []],
  ])('[P40] %j', async (lines, expected) => {
    const request = await forwarded(get(lines));
    expect(values(request, 'te')).toEqual(expected);
    expect(values(request, 'connection')).toEqual(expected.length > 0 ? ['te'] : []);
  });

  const SPOOF =
    'X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /x\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Serin-Version: v9\r\nx-envoy-upstream-rq-timeout-ms: 1\r\n';

  test('[P41] a stranger does not say who it is', async () => {
    const request = await forwarded(get(SPOOF));
    expect(request.head).not.toMatch(/6\.6\.6\.6|evil|x-serin|timeout-ms/i);
    expect(values(request, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(values(request, 'x-forwarded-proto')).toEqual(['http']);
  });

  test.each(['drop', 'keep'] as const)('[P41] nor with underscores (underscoreNames: %s)', async (underscoreNames) => {
    const request = await forwarded(
      get('X_Forwarded_For: 6.6.6.6\r\nX-Forwarded_For: 6.6.6.6\r\nx_real_ip: 6.6.6.6\r\nX_Serin_Version: 6.6.6.6\r\n'),
      {
        options: { underscoreNames },
      },
    );
    expect(request.head).not.toMatch(/6\.6\.6\.6/);
  });

  test('[P41] a proxy we trust is believed, and added', async () => {
    const request = await forwarded(get('X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\n'), {
      options: { trustedProxies: ['127.0.0.0/8'] },
    });
    expect(values(request, 'x-forwarded-for')).toEqual(['1.2.3.4,5.6.7.8, 127.0.0.1']);
    expect(values(request, 'x-forwarded-proto')).toEqual(['https']);
  });

  test('[P41] a proxy we trust that says nothing about the scheme is answered for', async () => {
    const request = await forwarded(GET, { options: { trustedProxies: ['127.0.0.1'] } });
    expect(values(request, 'x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(values(request, 'x-forwarded-proto')).toEqual(['http']);
  });

  test('[P42] names with underscores: dropped, kept or refused', async () => {
    const bytes = get('A_B: 1\r\nC: 2\r\n');
    expect((await forwarded(bytes)).head).not.toContain('A_B');
    expect(values(await forwarded(bytes, { options: { underscoreNames: 'keep' } }), 'a_b')).toEqual(['1']);
    expect(await answerTo(bytes, { options: { underscoreNames: 'reject' } })).toEqual({ status: 400, reached: '' });
  });

  test('[P43] other fields pass unchanged and in order', async () => {
    const request = await forwarded(
      get(
        'X-B: 1\r\nx-a:  two  words \r\nX-B: 2\r\nCookie: a=b\r\nAuthorization: Basic x\r\nIf-None-Match: "y"\r\nRange: bytes=0-1\r\nX-Empty:\r\n',
      ),
    );
    const own = request.fields.filter(([name]) => !/^(?:host|via|x-forwarded-.*|x-request-id)$/i.test(name));
    expect(own).toEqual([
      ['X-B', '1'],
      ['x-a', 'two  words'],
      ['X-B', '2'],
      ['Cookie', 'a=b'],
      ['Authorization', 'Basic x'],
      ['If-None-Match', '"y"'],
      ['Range', 'bytes=0-1'],
      ['X-Empty', ''],
    ]);
  });

  test('[P43] Set-Cookie lines are not joined', async () => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        side.write('HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX: y\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n');
      },
    });
    const client = await started.sent(GET);
    expect(values(await client.response(), 'set-cookie')).toEqual(['a=1', 'b=2']);
  });

  test('[P44] Via is added to requests, Date to a response that lacks it', async () => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        side.write(OK);
        await side.nextRequest();
        side.write('HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2001 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n');
      },
    });
    const client = await started.sent(get('Via: 1.0 before\r\n'));
    const first = await client.response();
    expect(values(first, 'date')).toHaveLength(1);
    expect(values(first, 'date')[0]).toMatch(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
    const second = await client.ask(GET);
    expect(values(second, 'date')).toEqual(['Mon, 01 Jan 2001 00:00:00 GMT']);
    const vias = values(started.upstream.requests[0] ?? { fields: [] }, 'via');
    expect(vias[0]).toBe('1.0 before');
    expect(vias[1]).toMatch(/^1\.1 serin-/);
  });

  test('[P45] a field made of request data carries it as data', async () => {
    const quoting = {
      ...NO_HEADER_OPS,
      set: [{ name: 'x-copy', value: [{ command: 'REQ', argument: 'x-in' }] }],
    };
    const request = await forwarded(get('X-In: a\tb\xff\r\n'), { route: { requestHeaders: quoting } });
    expect(values(request, 'x-copy')).toEqual(['a\tb\xff']);
    // Without a value there is nothing to set.
    expect(values(await forwarded(GET, { route: { requestHeaders: quoting } }), 'x-copy')).toEqual([]);
  });

  test('[P36] operations of a rule never touch framing', async () => {
    const started = await rig({
      route: {
        requestHeaders: { ...setHeaders({ 'x-set': '1' }), remove: ['x-gone'] },
        responseHeaders: { ...setHeaders({ 'x-set': '2' }), remove: ['x-gone'] },
      },
      script: async (side) => {
        await side.nextRequest();
        side.write('HTTP/1.1 200 OK\r\nX-Gone: 1\r\nContent-Length: 2\r\nX-Set: 0\r\n\r\nok');
      },
    });
    const client = await started.sent('POST / HTTP/1.1\r\nX-Set: 0\r\nHost: a\r\nX-Gone: 1\r\nContent-Length: 02\r\n\r\nhi');
    const answer = await client.response();
    expect([values(answer, 'x-gone'), values(answer, 'x-set'), answer.body.toString()]).toEqual([[], ['2'], 'ok']);
    const [request] = started.upstream.requests;
    expect([values(request ?? { fields: [] }, 'x-gone'), values(request ?? { fields: [] }, 'x-set'), request?.body.toString()]).toEqual([
      [],
      ['1'],
      'hi',
    ]);
  });

  test('[P71] a request id is made where there is none and kept where there is one', async () => {
    expect(values(await forwarded(GET), 'x-request-id')).toHaveLength(1);
    expect(values(await forwarded(get('X-Request-Id: abc\r\n')), 'x-request-id')).toEqual(['abc']);
  });
});

describe('[P46] HTTP/1.0 clients', () => {
  const script = (answer: string) => async (side: { nextRequest(): Promise<unknown>; write(bytes: string): void; end(): void }) => {
    await side.nextRequest();
    side.write(answer);
  };

  test('the connection is closed after the answer, also when they ask to keep it', async () => {
    const started = await rig();
    const client = await started.sent(`GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n${GET}`);
    const answers = await client.untilServerCloses();
    expect(answers.map((answer) => answer.status)).toEqual([200]);
    expect(values(answers[0] ?? { fields: [] }, 'connection')).toEqual(['close']);
  });

  test('never chunked: the close ends the body', async () => {
    const started = await rig({ script: script('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n') });
    const client = await started.sent('GET / HTTP/1.0\r\n\r\n');
    await client.untilEnded();
    expect(client.text).not.toMatch(/chunked/i);
    expect(client.text.endsWith('\r\n\r\nok')).toBe(true);
  });

  test('never a 1xx', async () => {
    const started = await rig({ script: script(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`) });
    const client = await started.sent('GET / HTTP/1.0\r\n\r\n');
    await client.untilEnded();
    expect(client.text).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('[P55] a broken body does not look complete: the connection is reset', async () => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        side.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n');
        await side.until(() => side.isEnded, 'nothing').catch(() => undefined);
      },
    });
    const client = await started.sent('GET / HTTP/1.0\r\n\r\n');
    await client.until(() => client.text.endsWith('ok'), 'the first chunk');
    (await started.upstream.connection(0)).end();
    await client.untilClosed();
    expect(client.errorCode).toBe('ECONNRESET');
  });
});

test('the reference reader refuses what a sender must not generate', () => {
  for (const bytes of [
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 01\r\n\r\nx',
    'GET /#a HTTP/1.1\r\nHost: a\r\n\r\n',
  ]) {
    expect(() => readRequest(Buffer.from(bytes))).toThrow();
  }
});
