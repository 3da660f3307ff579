/** What a rendered Envoy does in another way wherever it stands: found by asking both the same (test/e2e/envoy.test.ts). docs/compatibility.md lists it. */
export const ENVOY_DIFFERENCES: readonly { readonly what: string; readonly serin: string; readonly envoy: string }[] = [
  {
    what: "the proxy's own answers (404, 503, …)",
    serin: 'a small body and `x-serin-error`',
    envoy: 'another body or none, and no `x-serin-error`',
  },
  { what: 'a Host with a trailing dot', serin: 'goes upstream as it came', envoy: 'goes upstream without the dot' },
  {
    what: "a redirect to another scheme, where the request's Host has a port",
    serin: 'the port is left out',
    envoy: 'the port stays; stated for each such rule (`W_ENVOY_DIFFERS`)',
  },
  {
    what: 'dot segments that a rewrite has made (`/foo` to `/`, asked for `/foo../x`)',
    serin: 'resolved before the path is sent',
    envoy: 'sent as they are; stated for each such rule (`W_ENVOY_DIFFERS`)',
  },
  { what: '`Vary: origin` of routes with a `corsPolicy`', serin: 'on answers to origins that are allowed', envoy: 'on every answer' },
  {
    what: 'requests that are not idempotent',
    serin: 'tried again while nothing of them has been sent',
    envoy: 'never tried again; every method with `--istio-compat`',
  },
  { what: '`x-envoy-attempt-count`', serin: 'on routes with `retries`', envoy: 'on all routes of a host that has one with `retries`' },
  { what: 'a Host that is rewritten', serin: 'only the new one goes upstream', envoy: 'the old one goes as `x-envoy-original-host`' },
  { what: 'a tunnel (WebSocket) without a byte', serin: 'closed after an hour', envoy: 'closed after 5 minutes' },
  {
    what: 'a connection that is passed on, whose endpoint cannot be connected to',
    serin: 'goes to another endpoint, once',
    envoy: 'is tried once more, with whatever endpoint the load balancer gives next',
  },
  { what: '`via`', serin: 'added, and requests that come round are refused (508)', envoy: 'not added' },
  { what: 'a route without `timeout`', serin: 'an answer must begin within 30 s', envoy: 'an answer may begin at any time' },
  {
    what: 'the key that is missing where requests are chosen by hash',
    serin: "the DestinationRule's other load balancer, or the default",
    envoy: 'at random',
  },
  {
    what: "a server's certificate of an upstream without `caCertificates`",
    serin: "verified with Node.js's CAs",
    envoy: "verified with the system's",
  },
  {
    what: 'a request for another TLS server than its connection (VirtualServices)',
    serin: 'answered 421',
    envoy: 'answered like any other; 421 for listeners of the Gateway API',
  },
  { what: 'a TLS client that names a server nobody has', serin: 'alert `unrecognized_name`', envoy: 'the connection is closed' },
];
