/**
 * Where the bytes are cut does not matter, from end to end: the same requests, in two writes cut at every offset, get the same answers and reach
 * the upstream alike.
 */
import { expect, test } from 'vitest';
import { answering } from '../helpers/raw-upstream.ts';
import { values } from '../helpers/reference-message.ts';
import type { ReferenceRequest } from '../helpers/reference-message.ts';
import type { Cut } from '../helpers/bytes.ts';
import { Rig } from '../helpers/rig.ts';
import { cluster, forward, hosts, route, table } from '../helpers/tables.ts';
import { chunked, get, rig } from '../helpers/wire.ts';

const described = (request: ReferenceRequest): unknown => [
  request.method,
  request.target,
  request.fields.filter(([name]) => !/^(?:x-request-id|via)$/i.test(name)),
  request.framing,
  request.body.toString('latin1'),
];

/** Answers until Serin closes, and what reached the upstream meanwhile. */
async function outcome(started: Rig, bytes: string, cut: Cut): Promise<unknown> {
  const before = started.upstream.requests.length;
  const client = await started.client();
  await client.send(bytes, cut);
  const answers = await client.untilServerCloses();
  return {
    answers: answers.map((answer) => [
      answer.status,
      answer.body.toString('latin1'),
      values(answer, 'connection'),
      values(answer, 'x-serin-error'),
    ]),
    upstream: started.upstream.requests.slice(before).map(described),
  };
}

const LAST = get('Connection: close\r\n', '/last');

test.each([
  ['a plain request', LAST],
  ['an absolute target', 'GET http://b/x/../y?z HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
  ['a stated body and the next request', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello${LAST}`],
  ['a chunked body with extensions and trailers, and the next request', chunked(`5;a="b"\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n${LAST}`)],
  ['an answer of our own, its body, and the next request', `POST /none HTTP/1.1\r\nHost: nobody\r\nContent-Length: 5\r\n\r\nhello${LAST}`],
  ['a bad field', get('X : y\r\n') + LAST],
  ['two framings', `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${LAST}`],
  ['a bad chunk', chunked(`5\r\nhello!\r\n0\r\n\r\n${LAST}`)],
  ['LF alone', `GET / HTTP/1.1\nHost: a\n\n${LAST}`],
  ['HTTP/1.0', `GET / HTTP/1.0\r\nHost: a\r\n\r\n${LAST}`],
])('[P11] %s', async (_name, bytes) => {
  const started = await rig({
    table: (port) => table([hosts(['a', 'b'], [route('/', forward())])], [cluster(port)]),
    script: answering((request) => `HTTP/1.1 200 OK\r\nContent-Length: ${request.target.length}\r\n\r\n${request.target}`),
  });
  const whole = await outcome(started, bytes, 'whole');
  expect(whole).not.toEqual({ answers: [], upstream: [] });
  for (let cut = 1; cut < bytes.length; cut++) expect([cut, await outcome(started, bytes, [cut])]).toEqual([cut, whole]);
  expect(await outcome(started, bytes, 'octets')).toEqual(whole);
});
