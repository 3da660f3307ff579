/** A configuration with secrets wherever people put them, programs that print theirs, and what is refused with secrets in it. */
import { plant, plantNumber } from './planted.ts';

export const PROGRAM = `
const { createServer } = require('node:http');
const { API_TOKEN, DATABASE_URL, DB_PASSWORD, FROM_ENV, PORT } = process.env;
console.log('API_TOKEN=' + API_TOKEN + ' of ' + JSON.stringify({ password: DB_PASSWORD }));
console.log('connected to ' + DATABASE_URL);
console.log('bare ' + API_TOKEN + ' and ' + DB_PASSWORD + ', also ' + FROM_ENV);
console.error(new Error('refused: Authorization: Bearer ' + API_TOKEN).stack);
createServer((request, response) => {
  console.log(request.method + ' ' + request.url + ' ' + JSON.stringify(request.headers));
  response.end('v2');
}).listen(Number(PORT), '127.0.0.1', () => console.log('last line'));
`;

export const BROKEN = `
console.error('API_TOKEN is ' + process.env.API_TOKEN);
console.error('refused: ' + process.env.API_TOKEN + ', {"password":"${plant('a password only the program knows')}"}');
process.exit(3);
`;

const indent = (text: string): string => text.trimEnd().replaceAll('\n', '\n    ');

interface Ports {
  readonly upstream: number;
  readonly receiver: number;
}

/** PEM. */
interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export function configuration(ports: Ports, { cert, key, ca }: Certificate): string {
  const hook = `http://127.0.0.1:1/asked?token=${plant('a token in the URL of a webhook')}`;
  const metric = `http://127.0.0.1:${ports.receiver}/metric?api_key=${plant('a key in the URL of a metric')}`;
  const told = `http://127.0.0.1:${ports.receiver}/told?sig=${plant('a signature in the URL of a notification')}`;
  return `
services:
  shop:
    versions:
      v1: http://127.0.0.1:${ports.upstream}
      v2:
        run: node program.cjs --token ${plant('an option of a command')} --api-key=${plant('an option with =')}
        env:
          API_TOKEN: ${plant('a variable API_TOKEN')}
          DATABASE_URL: postgres://app:${plant('the password of a DSN')}@127.0.0.1/shop
          DB_PASSWORD: { file: db-password }
          FROM_ENV: \${SERIN_TEST_SECRET}
      broken:
        run: node broken.cjs
        env: { API_TOKEN: ${plant('a variable of a version that ends')} }
        ready: { timeout: 1s }
    routes:
      - match: { path: /v2 }
        to: v2
      - to: v1
    rollout:
      stable: v1
      canary: v2
      steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }]
      analysis:
        metrics:
          - { template: orders, dryRun: true }
          - name: program
            interval: 1s
            dryRun: true
            provider: { command: { command: [node, -e, "console.error(process.env.METRIC_TOKEN);console.log(process.env.METRIC_TOKEN);process.exit(1)"], env: { METRIC_TOKEN: ${plant('a variable of a metric')} } } }
      webhooks:
        - name: unreachable
          type: event
          url: ${hook}
          secret: ${plant('the secret a webhook is signed with')}
          headers: [{ key: X-Api-Key, value: ${plant('a header of a webhook')} }]
---
apiVersion: serin.dev/v1alpha1
kind: MetricTemplate
metadata: { name: orders }
spec:
  interval: 1s
  successCondition: result > 1
  provider: { web: { url: "${metric}", jsonPath: "{$.value}", bearerToken: ${plant('the bearer token of a metric')}, headers: [{ key: Cookie, value: "s=${plant('a cookie of a metric')}" }] } }
---
apiVersion: serin.dev/v1alpha1
kind: Notification
metadata: { name: chat }
spec:
  url: ${told}
  secret: ${plant('the secret a notification is signed with')}
  headers: [{ key: Authorization, value: "Basic ${Buffer.from(`u:${plant('a header of a notification')}`).toString('base64')}" }]
---
apiVersion: serin.dev/v1alpha1
kind: Notification
metadata: { name: pager }
spec: { url: "\${SERIN_TEST_URL}" }
---
apiVersion: v1
kind: Secret
metadata: { name: front-cert }
type: kubernetes.io/tls
stringData:
  password: ${plant('stringData of a Secret')}
  tls.crt: |
    ${indent(cert)}
  ca.crt: |
    ${indent(ca)}
  tls.key: |
    ${indent(key)}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec:
  servers:
    - port: { number: 443, name: https, protocol: HTTPS }
      hosts: [front.example]
      tls: { mode: SIMPLE, credentialName: front-cert }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: inner }
spec: { host: inner.example, trafficPolicy: { tls: { mode: SIMPLE, credentialName: front-cert } } }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: inner }
spec:
  hosts: [inner.example]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${ports.upstream} } }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: plain }
spec:
  hosts: [plain.example]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${ports.upstream} } }]
---
${virtualService('plain')}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: shop }
spec:
  gatewayClassName: serin
  listeners:
    - { name: https, port: 8443, protocol: HTTPS, tls: { certificateRefs: [{ name: front-cert }] } }
---
${httpRoute('routed')}
`;
}

/** The same in the words of the Gateway API. */
function httpRoute(name: string): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec:
  parentRefs: [{ name: shop }]
  hostnames: [${name}.example]
  rules:
    - matches:
        - headers: [{ name: x-api-key, value: ${plant(`a header ${name} asks for`)} }]
          queryParams: [{ name: token, value: ${plant(`a query parameter ${name} asks for`)} }]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier:
            set: [{ name: authorization, value: Bearer ${plant(`authorization ${name} sets`)} }]
            add: [{ name: x-api-key, value: ${plant(`a key ${name} adds`)} }]
        - type: ResponseHeaderModifier
          responseHeaderModifier: { set: [{ name: set-cookie, value: "s=${plant(`set-cookie of ${name}`)}; HttpOnly" }] }
      backendRefs:
        - name: gone
          port: 80
          filters:
            - type: RequestHeaderModifier
              requestHeaderModifier: { set: [{ name: proxy-authorization, value: "Basic ${plant(`proxy-authorization of a backend of ${name}`)}" }] }
`;
}

/** A rule that asks for secrets and hands some on. */
export function virtualService(name: string, more = ''): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec:
  hosts: [${name}.example]
  gateways: [mesh, front]
  http:
    - match:
        - headers: { x-api-key: { exact: ${plant(`a header ${name} asks for${more}`)} } }
          queryParams: { token: { exact: ${plant(`a query parameter ${name} asks for${more}`)} } }
        - headers: { authorization: { prefix: "Bearer ${plant(`a beginning of a header ${name} asks for${more}`)}" } }
      redirect: { uri: "/signed?sig=${plant(`a signature in a redirect of ${name}${more}`)}" }
    - headers:
        request:
          set:
            authorization: Bearer ${plant(`authorization ${name} sets${more}`)}
            cookie: s=${plant(`a cookie ${name} sets${more}`)}
          add: { x-api-key: ${plant(`a key ${name} adds${more}`)} }
        response: { set: { set-cookie: "s=${plant(`set-cookie of ${name}${more}`)}; HttpOnly" } }
      route:
        - destination: { host: ${name}.example }
          headers: { request: { set: { proxy-authorization: "Basic ${plant(`proxy-authorization of a destination of ${name}${more}`)}" } } }
`;
}

/** What is refused is quoted, and quoting is where secrets get out. */
export const brokenManifests = (): readonly string[] => [
  `kind: Secret\napiVersion: v1\nmetadata: { name: x }\ndata: { a: "${plant('a Secret that is no base64')}!" }`,
  `kind: Secret\napiVersion: v1\nmetadata: { name: x }\nstringData: [${plant('a Secret that is a list')}]`,
  `kind: Secret\napiVersion: v1\nmetadata: { name: x }\nstringData: { a: ${plant('a Secret with a wrong neighbour')} }\ntype: 7`,
  `kind: Secret\napiVersion: v1\nmetadata: { name: x }\nstringData:\n  a: "${plant('a Secret that does not end')}\n`,
  `services: { x: { versions: { v1: { run: node x.js, env: { API_TOKEN: [${plant('a variable that is a list')}] } } }, routes: [{ to: v1 }] } }`,
  `services: { x: { versions: { v1: { run: node x.js, env: { API_TOKEN: "\${${plant('a broken reference')}" } } }, routes: [{ to: v1 }] } }`,
  `services: { x: { versions: { v1: "http://u:${plant('a password in the URL of a version')}@127.0.0.1:1" }, routes: [{ to: v1 }] } }`,
  `apiVersion: serin.dev/v1alpha1\nkind: Notification\nmetadata: { name: x }\nspec: { url: "http://u:${plant('a password in a URL of a notification')}@h/" }`,
  `apiVersion: serin.dev/v1alpha1\nkind: Notification\nmetadata: { name: x }\nspec: { url: "ftp://u:${plant('a password in a URL of another scheme')}@h/?token=${plant('a token in a URL of another scheme')}" }`,
  `apiVersion: serin.dev/v1alpha1\nkind: Notification\nmetadata: { name: x }\nspec: { url: "http://h", secret: [${plant('a secret that is a list')}] }`,
  `apiVersion: serin.dev/v1alpha1\nkind: Notification\nmetadata: { name: x }\nspec: { url: "http://h", headers: [{ key: Authorization, value: "a\\n${plant('a header with a line feed')}" }] }`,
  `kind: Secret\napiVersion: v1\nmetadata: { name: x }\nstringData: { a: ${plantNumber('a Secret that is a number')} }`,
  `apiVersion: serin.dev/v1alpha1\nkind: Notification\nmetadata: { name: x }\nspec: { url: "http://h", secret: ${plantNumber('a secret that is a number')} }`,
  `apiVersion: serin.dev/v1alpha1\nkind: Notification\nmetadata: { name: x }\nspec: { url: "http://h", headers: [{ key: Cookie, value: ${plantNumber('a header that is a number')} }] }`,
  `apiVersion: serin.dev/v1alpha1\nkind: Notification\nmetadata: { name: x }\nspec: { url: "nonsense?token=${plant('a token in what is no URL')}" }`,
  virtualService('plain').replace('set:', `set: { authorization: ${plantNumber('a header operation that is a number')} }, sett:`),
  virtualService('plain').replace(
    'set:',
    `set: { authorization: "%NONSENSE(${plant('a header operation with a wrong command')})%" }, sett:`,
  ),
  `services: { x: { versions: { v1: { run: "node x.js --password \\"${plant('an option whose quote does not end')}" } }, routes: [{ to: v1 }] } }`,
  `services: { x: { versions: { v1: { run: "node x.js --password=$\{${plant('an option with a broken reference')}" } }, routes: [{ to: v1 }] } }`,
  virtualService('plain').replace('set:', `set: { authorization: [${plant('a header operation that is a list')}] }, sett:`),
  httpRoute('wrong').replace('add:', `sett: [{ name: authorization, value: ${plant('a header a route sets in a wrong field')} }], add:`),
  httpRoute('wrong').replace('value: Bearer', `valu: ${plant('a wrong field of a header a route sets')}, value: Bearer`),
  httpRoute('wrong').replace('value: Bearer', `value: [${plant('a header a route sets that is a list')}], other: Bearer`),
  virtualService('plain').replace('exact:', `exakt: ${plant('a match of an unknown kind')}, exact:`),
];
