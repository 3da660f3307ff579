/** 100-continue, other 1xx, and answers that come before the request is complete. */
import { describe, expect, test } from 'vitest';
import { OK, answering } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import { GET, get, rig } from '../helpers/wire.ts';

const EXPECTING = 'POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

describe('100-continue', () => {
  test('[P47] the expectation is the upstream’s to meet: head first, its 100 back, then the body', async () => {
    const started = await rig({
      script: async (side) => {
        const head = await side.head();
        expect(values(head, 'expect')).toEqual(['100-continue']);
        side.write(CONTINUE);
        await side.nextRequest();
        side.write(OK);
      },
    });
    const client = await started.sent(EXPECTING);
    expect((await client.response()).status).toBe(100);
    const answer = await client.ask('hello');
    expect([answer.status, values(answer, 'connection')]).toEqual([200, []]);
    expect(started.upstream.requests[0]?.body.toString()).toBe('hello');
  });

  test('[P47] Serin sends no 100 of its own', async () => {
    const started = await rig({ script: async (side) => void (await side.head()) });
    const client = await started.sent(EXPECTING);
    await (await started.upstream.connection(0)).head();
    expect(client.text).toBe('');
  });

  test('[P47] a client that does not wait is not made to', async () => {
    const started = await rig();
    const client = await started.sent(`${EXPECTING}hello`);
    expect((await client.response()).status).toBe(200);
    expect(started.upstream.requests[0]?.body.toString()).toBe('hello');
  });

  test('[P48] it is dropped where there is no body or no way to answer 100', async () => {
    const started = await rig();
    const client = await started.sent(get('Expect: 100-continue\r\n'));
    expect((await client.response()).status).toBe(200);
    const old = await started.sent('POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx');
    expect((await old.response()).status).toBe(200);
    for (const request of started.upstream.requests) expect(values(request, 'expect')).toEqual([]);
  });

  test('[P48] any other expectation is refused', async () => {
    const started = await rig();
    const client = await started.sent(get('Expect: 200-ok\r\n'));
    expect((await client.untilServerCloses()).map((answer) => answer.status)).toEqual([417]);
    expect(started.upstream.connections).toEqual([]);
  });

  test('[P49] a final answer instead of 100 is passed at once and the body never goes upstream', async () => {
    const started = await rig({
      script: async (side) => {
        await side.head();
        side.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n');
        await side.untilClosed();
      },
    });
    const client = await started.sent(EXPECTING);
    const answer = await client.response();
    expect(answer.status).toBe(413);
    await client.send('hello');
    const side = await started.upstream.connection(0);
    await side.untilClosed();
    expect(side.text).not.toContain('hello');
  });

  // Whether the five bytes that follow are the body or a request, nobody can tell: the one reading smuggles what the other takes for data.
  test('[P49] after a final answer instead of 100 nothing that follows is taken for a request', async () => {
    const smuggled = get('', '/smuggled');
    const expecting = `POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\nExpect: 100-continue\r\n\r\n`;
    const started = await rig({
      script: async (side) => {
        await side.head();
        side.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
        await side.untilClosed();
      },
    });
    const client = await started.sent(expecting);
    expect(values(await client.response(), 'connection')).toEqual(['close']);
    await client.send(smuggled);
    expect(await client.untilServerCloses()).toEqual([]);
    expect(started.upstream.text).not.toContain('smuggled');
  });
});

describe('1xx', () => {
  test('[P50] they are passed on in order, without framing', async () => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        side.write(
          'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\n\r\nHTTP/1.1 102 Processing\r\nTransfer-Encoding: chunked\r\n\r\n',
        );
        side.write(`HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n${OK}`);
      },
    });
    const client = await started.sent(GET);
    const seen = [await client.response(), await client.response(), await client.response(), await client.response()];
    expect(seen.map((answer) => answer.status)).toEqual([103, 102, 103, 200]);
    expect(values(seen[0] ?? { fields: [] }, 'link')).toEqual(['</a>']);
  });

  test('[P50] they arrive octet by octet too', async () => {
    const started = await rig({
      script: async (side) => {
        await side.nextRequest();
        await side.send(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${CONTINUE}${OK}`, 'octets');
      },
    });
    const client = await started.sent(GET);
    expect((await client.response()).status).toBe(103);
    expect((await client.response()).status).toBe(100);
    expect((await client.response()).body.toString()).toBe('ok');
  });

  test.each([
    [32, 200],
    [33, 502],
  ])('[P50] after %d of them the answer is %d', async (count, status) => {
    const started = await rig({
      script: async (side, index) => {
        if (index > 0) return answering(OK)(side, index);
        await side.nextRequest();
        side.write(CONTINUE.repeat(count) + OK);
      },
    });
    const client = await started.sent(GET);
    let answer = await client.response();
    while (answer.status === 100) answer = await client.response();
    expect(answer.status).toBe(status);
  });
});

describe('[P51] an answer before the request is complete', () => {
  test('it reaches the client at once, ends the connection, and the upstream connection is not used again', async () => {
    const started = await rig({
      script: async (side, index) => {
        if (index > 0) return answering(OK)(side, index);
        await side.head();
        side.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly');
        await side.untilClosed();
      },
    });
    const client = await started.sent('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\npart');
    const answer = await client.response();
    expect([answer.status, answer.body.toString(), values(answer, 'connection')]).toEqual([200, 'early', ['close']]);
    await client.untilServerCloses();
    await (await started.upstream.connection(0)).untilClosed();
    expect((await (await started.sent(GET)).response()).body.toString()).toBe('ok');
    expect(started.upstream.connections).toHaveLength(2);
  });

  test('a client that writes 15 MiB before it reads still gets the answer', async () => {
    const started = await rig({
      script: async (side) => {
        await side.head();
        side.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch');
        await side.untilClosed();
      },
    });
    const client = await started.client();
    client.socket.pause();
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 15728640\r\n\r\n');
    // The answer is on its way; this client does not look.
    await (await started.upstream.connection(0)).untilClosed();
    const piece = Buffer.alloc(1 << 20, 'x');
    for (let written = 0; written < 15 && !client.socket.destroyed; written++) {
      await new Promise<void>((resolve) => {
        client.socket.write(piece, () => resolve());
      });
    }
    client.socket.resume();
    const answer = await client.response();
    expect([answer.status, answer.body.toString()]).toEqual([413, 'much']);
    // A reset would take the answer away from a client that has not read it yet.
    expect(client.errorCode).toBeUndefined();
  });

  test('the end of the body that crosses the answer is not taken for a request', async () => {
    const smuggled = get('', '/smuggled');
    const started = await rig({
      script: async (side) => {
        await side.head();
        side.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        await side.untilClosed();
      },
    });
    const client = await started.sent(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length + 4}\r\n\r\npart`);
    await client.response();
    await client.send(smuggled);
    expect(await client.untilServerCloses()).toEqual([]);
    expect(started.upstream.connections.filter((side) => side.text.includes('HTTP/1.1\r\nHost: a\r\n\r\n'))).toEqual([]);
  });
});
