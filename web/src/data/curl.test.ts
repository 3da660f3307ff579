import { expect, test } from 'vitest';
import { parseCurl } from './curl.ts';

test.each([
  ['a URL alone', 'http://reviews/reviews/0', { url: 'http://reviews/reviews/0', headers: [] }],
  [
    'quotes and continued lines',
    `curl -H 'end-user: jason' \\\n  "http://reviews/a b"`,
    { url: 'http://reviews/a b', headers: [['end-user', 'jason']] },
  ],
  [
    "a quote in a quote, as browsers' consoles copy it",
    String.raw`curl 'http://a/' -H 'x: it'\''s'`,
    { url: 'http://a/', headers: [['x', "it's"]] },
  ],
  ['glued short options', 'curl -XPUT -Ha:b http://a/', { url: 'http://a/', method: 'PUT', headers: [['a', 'b']] }],
  ['a body makes it a POST', `curl --data-raw '{"a":1}' http://a/`, { url: 'http://a/', method: 'POST', headers: [] }],
  ['what says nothing about the request is passed over', 'curl -s -o /dev/null --max-time=3 http://a/', { url: 'http://a/', headers: [] }],
  ['cookies', 'curl -b user=jason http://a/', { url: 'http://a/', headers: [['cookie', 'user=jason']] }],
  [
    'a value with an equals sign in an option of its own',
    "curl --header='x: a=b' http://a/",
    { url: 'http://a/', headers: [['x', 'a=b']] },
  ],
  ['HEAD', 'curl -I http://a/', { url: 'http://a/', method: 'HEAD', headers: [] }],
])('%s', (_, text, expected) => {
  expect(parseCurl(text)).toEqual(expected);
});

test.each([
  ['curl -H nonsense http://a/', /expected a header/],
  ["curl 'http://a/", /not closed/],
  ['curl -s', /no URL/],
])('%s is refused', (text, why) => {
  expect(() => parseCurl(text)).toThrow(why);
});
