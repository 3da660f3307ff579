/** What happens to a response on its way: bodies that must not be, framing, breaking off, and bytes nobody asked for. */
import { describe, expect, test } from 'vitest';
import { OK, answering } from '../helpers/raw-upstream.ts';
import type { UpstreamScript } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import { GET, get, rig } from '../helpers/wire.ts';

/** The first connection answers this and stays open; further ones are well. */
const first =
  (bytes: string): UpstreamScript =>
  async (side, index) => {
    if (index > 0) return answering(OK)(side, index);
    await side.nextRequest();
    side.write(bytes);
    await side.untilClosed();
  };

describe('[P52] responses without a body', () => {
  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', ['5']],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', []],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "x"\r\n\r\n', ['5']],
    ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', []],
    ['GET', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n', []],
  ])('to %s: %j', async (method, bytes, lengths) => {
    // With the body it must not have, in the same packet: neither passed on nor taken for the next answer.
    for (const surplus of ['', 'hello', '5\r\nhello\r\n0\r\n\r\n']) {
      const started = await rig({ script: first(bytes + surplus) });
      const client = await started.sent(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      const answer = await client.response(method);
      expect(values(answer, 'content-length')).toEqual(lengths);
      expect(values(answer, 'transfer-encoding')).toEqual([]);
      if (surplus === '') continue;
      expect((await client.ask(GET)).body.toString()).toBe('ok');
      expect(started.upstream.connections).toHaveLength(2);
    }
  });
});

describe('[P54] a response without framing', () => {
  const unframed = 'HTTP/1.1 200 OK\r\nX: y\r\n\r\n';

  test('ends with the upstream’s FIN and is sent chunked; the connection goes on', async () => {
    const started = await rig({
      script: async (side, index) => {
        if (index > 0) return answering(OK)(side, index);
        await side.nextRequest();
        side.write(`${unframed}hello `);
        await side.send('world', 'octets');
        side.end();
      },
    });
    const client = await started.sent(GET);
    const answer = await client.response();
    expect([answer.framing, answer.body.toString()]).toEqual(['chunked', 'hello world']);
    expect((await client.ask(GET)).body.toString()).toBe('ok');
  });

  test('also when it is empty', async () => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        side.write(unframed);
        side.end();
      },
    });
    expect((await (await started.sent(GET)).response()).body.toString()).toBe('');
  });

  test('a reset does not complete it', async () => {
    const started = await rig({ script: first(`${unframed}hello`) });
    const client = await started.sent(GET);
    await client.until(() => client.text.includes('hello'), 'the beginning');
    (await started.upstream.connection(0)).reset();
    await client.untilEnded();
    expect(client.text).not.toContain('\r\n0\r\n\r\n');
  });

  test('nor does silence', async () => {
    const started = await rig({ script: first(`${unframed}hello`), options: { timeouts: { streamIdleMs: 60 } } });
    const client = await started.sent(GET);
    await client.untilEnded();
    expect(client.text).toContain('hello');
    expect(client.text).not.toContain('\r\n0\r\n\r\n');
  });
});

describe('[P55] a response that breaks off after its head', () => {
  test.each([
    ['a stated length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'],
    ['nothing of a stated length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n'],
    ['one octet short', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello'],
    ['between chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'],
    ['in a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello'],
    ['in a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1'],
    ['in the CRLF', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r'],
    ['before the trailers', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n'],
    ['in the trailers', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n'],
  ])('%s', async (_name, bytes) => {
    for (const way of ['end', 'reset'] as const) {
      const started = await rig({ script: first(bytes) });
      const client = await started.sent(GET);
      await client.until(() => client.text.includes('\r\n\r\n'), 'the head');
      (await started.upstream.connection(0))[way]();
      await client.untilEnded();
      // A reader of the framing finds no end.
      await expect(client.response()).rejects.toThrow();
      expect(started.upstream.connections).toHaveLength(1);
    }
  });

  test.each([
    ['nothing', ''],
    ['half a status line', 'HTTP/1.'],
    ['half a head', 'HTTP/1.1 200 OK\r\nX: y\r\n'],
    ['only a 1xx', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ])('[B-170] before its head is complete it is a 502: %s', async (_name, bytes) => {
    for (const way of ['end', 'reset'] as const) {
      const started = await rig({
        script: async (side, index) => {
          if (index > 0) return answering(OK)(side, index);
          await side.nextRequest();
          await side.send(bytes);
          side[way]();
        },
      });
      const client = await started.sent(GET);
      let answer = await client.response();
      if (answer.status === 103) answer = await client.response();
      expect(answer.status).toBe(502);
      expect((await client.ask(GET)).body.toString()).toBe('ok');
    }
  });
});

describe('[P56] bytes that answer nothing', () => {
  test('surplus in the same packet: dropped, and the connection is not used again', async () => {
    const started = await rig({ script: first(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`) });
    const client = await started.sent(GET);
    expect((await client.response()).body.toString()).toBe('ok');
    expect((await client.ask(GET)).body.toString()).toBe('ok');
    expect(started.upstream.connections).toHaveLength(2);
    expect(client.text).not.toContain('evil');
  });

  test('surplus after a chunked response', async () => {
    const started = await rig({ script: first('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nX') });
    const client = await started.sent(GET);
    expect((await client.response()).body.toString()).toBe('ok');
    expect((await client.ask(GET)).body.toString()).toBe('ok');
    expect(started.upstream.connections).toHaveLength(2);
  });

  test('later, on an idle connection: it is closed', async () => {
    const started = await rig();
    const client = await started.sent(GET);
    await client.response();
    const side = await started.upstream.connection(0);
    side.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    await side.untilClosed();
    expect((await client.ask(GET)).body.toString()).toBe('ok');
    expect(client.text).not.toContain('evil');
  });

  test.each(['before', 'after'])('an answer that is there before the question is not used (seen %s the client’s bytes)', async (order) => {
    const started = await rig();
    const client = await started.sent(GET);
    await client.response();
    const side = await started.upstream.connection(0);
    const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
    // Both lie in Serin's receive buffers when it next looks.
    if (order === 'before') side.write(evil);
    client.write(GET);
    if (order === 'after') side.write(evil);
    expect((await client.response()).body.toString()).toBe('ok');
    expect(started.upstream.connections).toHaveLength(2);
    expect(started.upstream.requests).toHaveLength(2);
  });
});

test('[P57] a redirect of the upstream is passed on, not followed', async () => {
  const started = await rig({
    script: answering('HTTP/1.1 302 Found\r\nLocation: http://elsewhere.example/\r\nContent-Length: 0\r\n\r\n'),
  });
  const answer = await (await started.sent(GET)).response();
  expect([answer.status, values(answer, 'location')]).toEqual([302, ['http://elsewhere.example/']]);
  expect(started.upstream.requests).toHaveLength(1);
});

describe('[P37] trailers of a response', () => {
  const bytes =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: evil\r\nContent-Length: 9\r\nX-Forwarded-For: evil\r\n\r\n';

  test('reach a client that takes them, without those that must not be', async () => {
    const started = await rig({ script: answering(bytes) });
    const answer = await (await started.sent(get('TE: trailers\r\n'))).response();
    expect(answer.trailers).toEqual([['X-Sum', '1']]);
    expect(values(answer, 'x-sum')).toEqual([]);
  });

  test('do not reach one that has not said so', async () => {
    const started = await rig({ script: answering(bytes) });
    const client = await started.sent(GET);
    expect((await client.response()).trailers).toEqual([]);
    expect((await client.ask(GET)).body.toString()).toBe('ok');
    expect(started.upstream.connections).toHaveLength(1);
  });
});

describe('bodies', () => {
  const body = Buffer.from(Array.from({ length: 1 << 20 }, (_, index) => (index * 11 + (index >> 7)) & 0xff));

  test.each(['length', 'chunked', 'close'] as const)('1 MiB arrives as it was sent, framed by %s', async (framing) => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        side.write(
          `HTTP/1.1 200 OK\r\n${framing === 'length' ? `Content-Length: ${body.length}\r\n` : framing === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : ''}\r\n`,
        );
        for (let at = 0; at < body.length;) {
          const piece = body.subarray(at, at + 1 + ((at * 31) % 150_000));
          at += piece.length;
          side.write(
            framing === 'chunked' ? Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]) : piece,
          );
        }
        if (framing === 'chunked') side.write('0\r\n\r\n');
        if (framing === 'close') side.end();
      },
    });
    const client = await started.sent(GET);
    const answer = await client.response();
    expect(answer.body.equals(body)).toBe(true);
  });

  test('[P36] a response is framed once, and once only', async () => {
    const started = await rig({
      script: answering('HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1;x=y\r\na\r\n01\r\nb\r\n00\r\n\r\n'),
    });
    const client = await started.sent(GET);
    const answer = await client.response();
    expect([answer.framing, answer.body.toString()]).toEqual(['chunked', 'ab']);
    expect((await client.ask(GET)).body.toString()).toBe('ab');
    expect(started.upstream.connections).toHaveLength(1);
  });
});
