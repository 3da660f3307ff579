import { expect, test } from 'vitest';
import { redactLine, redactTarget, redactValues } from './redact.ts';

test.each([
  ['/a', '/a'],
  ['/a?', '/a?'],
  ['/a?x=1&y', '/a?x=1&y'],
  ['/a?token=x', '/a?token=redacted'],
  ['/a?access_token=x&y=2', '/a?access_token=redacted&y=2'],
  ['/a?author=x&Authorization=x', '/a?author=x&Authorization=redacted'],
  ['/a?Secret=x', '/a?Secret=redacted'],
  ['/a?key=x&keyboard=qwerty', '/a?key=redacted&keyboard=qwerty'],
  ['/a?sig=x&design=2', '/a?sig=redacted&design=2'],
  ['/a?X-Amz-Signature=x', '/a?X-Amz-Signature=redacted'],
  ['/a?serin-preview=x.y', '/a?serin-preview=redacted'],
  ['/a?pass%77ord=x', '/a?pass%77ord=redacted'],
  ['/a?%zz=x', '/a?%zz=x'],
  ['http://ana:S3CRET@host/a?x=1', 'http://redacted@host/a?x=1'],
  ['http://ana:S3@CRET@host/a@b', 'http://redacted@host/a@b'],
  ['ana:S3CRET@host:443', 'redacted@host:443'],
  ['http://host/@a', 'http://host/@a'],
  ['/a@b', '/a@b'],
  ['/a?x=1?token=2&token=a=b', '/a?x=1?token=2&token=redacted'],
])('%s', (target, redacted) => {
  expect(redactTarget(target)).toBe(redacted);
});

test.each([
  ['GET /a?x=1 200', 'GET /a?x=1 200'],
  ['the author: Ana; keys=4; monkey=5', 'the author: Ana; keys=4; monkey=5'],
  ['GET /a?token=S3CRET&x=1 200', 'GET /a?token=redacted&x=1 200'],
  ['> Authorization: Bearer S3CRET', '> Authorization: redacted'],
  ["{ authorization: 'Bearer S3CRET', accept: '*/*' }", "{ authorization: redacted, accept: '*/*' }"],
  ['{"authorization":"Bearer S3\\"CRET","a":1}', '{"authorization":redacted,"a":1}'],
  ['Set-Cookie: session=S3CRET; Path=/', 'Set-Cookie: redacted'],
  ['x-api-key=S3CRET', 'x-api-key=redacted'],
  ['connecting to postgres://ana:S3CRET@db:5432/x', 'connecting to postgres://ana:redacted@db:5432/x'],
  ['DB_PASSWORD=S3CRET started', 'DB_PASSWORD=redacted started'],
  ['{"password": "S3CRET", "user": "ana"}', '{"password": "redacted", "user": "ana"}'],
  ['sent serin_S3CRETS3CRETS3CRETS3CRET to ana', 'sent redacted to ana'],
  ['jwt eyJS3CRET.eyJS3CRET.S3CRET end', 'jwt redacted end'],
  ['-----BEGIN RSA PRIVATE KEY-----S3CRET', 'redacted'],
])('a line: %s', (line, redacted) => {
  expect(redactLine(line)).toBe(redacted);
});

test('values that are known, wherever they stand', () => {
  expect(redactValues('hunter2, hunter and hunter2$&', ['hunter2', '$&'])).toBe('redacted, hunter and redactedredacted');
});

test('a long line of anything takes no time to speak of', () => {
  for (const unit of ['a', 'a=', '"a"', 'authorization', 'x://', '://a:', '\\"', 'eyJa.', ' ', '=" :']) {
    const began = process.cpuUsage();
    redactLine(unit.repeat(8192 / unit.length));
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(1000);
  }
});
