/** Faults, copies, retries, timeouts: how often versions are asked for one request. */
import { rules, to, type ContractCase } from '../contract.ts';

const ABORT = 'abort: { httpStatus: 418 }';

export const POLICIES: readonly ContractCase[] = [
  {
    vector: 'A17',
    title: 'a fault without a percentage is for nobody',
    config: rules(`fault: { ${ABORT}, delay: { fixedDelay: 60s } }, ${to('v1')}`),
    shares: [{ ask: 'reviews/', shares: { v1: 1 } }],
  },
  {
    vector: 'A17',
    title: 'at 100 % for everybody, and no version is asked',
    config: rules(`fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }, ${to('v1')}`),
    requests: [{ ask: 'reviews/', gets: 418, reached: {} }],
  },
  {
    title: 'an abort of Istio is not tried again',
    exactIstio: true,
    config: rules(`fault: { abort: { httpStatus: 503, percentage: { value: 100 } } }, retries: { attempts: 3, retryOn: 5xx }, ${to('v1')}`),
    requests: [{ ask: 'reviews/', gets: 503, reached: {} }],
  },
  {
    vector: 'A18',
    title: 'a mirror without a percentage gets a copy of everything, rewritten as the request',
    exactIstio: true,
    config: rules(`${to('v1')}, rewrite: { uri: /new }, mirror: { host: reviews, subset: v2 }`),
    requests: [
      { ask: 'reviews/', gets: 'v1', sent: { ':path': '/new' }, reached: { v1: 1, v2: 1 } },
      { ask: 'POST reviews/', body: 'twice', gets: 'v1', reached: { v1: 1, v2: 1 } },
    ],
  },
  {
    vector: 'A18',
    title: 'with percentage 0 none',
    config: rules(`${to('v1')}, mirror: { host: reviews, subset: v2 }, mirrorPercentage: { value: 0 }`),
    requests: [{ ask: 'reviews/', gets: 'v1', reached: { v1: 1 } }],
  },
  {
    vector: 'A18',
    title: 'a mirror that is dead or has no endpoint is nobody’s problem',
    config: rules(
      `${to('v1')}, mirrors: [{ destination: { host: reviews, subset: dead } }, { destination: { host: reviews, subset: empty } }, { destination: { host: reviews, subset: v3 } }]`,
    ),
    requests: [{ ask: 'reviews/', gets: 'v1', reached: { v1: 1, v3: 1 } }],
  },
  {
    vector: 'A19',
    title: 'without a policy a 503 is passed on',
    config: rules(to('v1')),
    requests: [{ ask: 'reviews/', with: ['x-do: 503'], gets: 'v1', status: 503, reached: { v1: 1 } }],
  },
  {
    vector: 'A19',
    title: 'without a policy a 503 is passed on, in Istio’s way too',
    exactIstio: true,
    config: rules(to('v1')),
    requests: [{ ask: 'reviews/', with: ['x-do: 503'], gets: 'v1', status: 503, reached: { v1: 1 } }],
  },
  {
    vector: 'A19',
    title: 'attempts are retries: two of them, three requests',
    config: rules(`${to('v1')}, retries: { attempts: 2, retryOn: '503', backoff: 1ms }`),
    requests: [
      { ask: 'reviews/', with: ['x-do: 503'], gets: 'v1', status: 503, reached: { v1: 3 } },
      { ask: 'reviews/', with: ['x-do: 503 first'], gets: 'v1', sent: { 'x-envoy-attempt-count': '2' }, reached: { v1: 2 } },
      { ask: 'reviews/', with: ['x-do: 502'], gets: 'v1', status: 502, reached: { v1: 1 } },
    ],
  },
  {
    vector: 'A19',
    title: 'attempts: 0 switches retries off',
    config: rules(`${to('v1')}, retries: { attempts: 0 }`),
    requests: [{ ask: 'reviews/', with: ['x-do: 503'], gets: 'v1', status: 503, reached: { v1: 1 } }],
  },
  {
    vector: 'A19',
    title: 'all tries together are within the timeout',
    config: rules(`${to('v1')}, timeout: 400ms, retries: { attempts: 5, perTryTimeout: 150ms, retryOn: 5xx, backoff: 1ms }`),
    requests: [{ ask: 'reviews/', with: ['x-do: slow'], gets: 504 }],
  },
  ...(
    [
      ['5xx', '500', 2],
      ['5xx', '404', 1],
      ['gateway-error', '504', 2],
      ['gateway-error', '500', 1],
      ['retriable-4xx', '409', 2],
      ['retriable-4xx', '404', 1],
      ['reset,429', '429', 2],
      ['5xx', 'overloaded', 1],
    ] as const
  ).map(([retryOn, task, times]): ContractCase => ({
    title: `retryOn ${retryOn} with ${task}: asked ${times} times`,
    config: rules(`${to('v1')}, retries: { attempts: 1, retryOn: '${retryOn}', backoff: 1ms }`),
    requests: [
      {
        ask: 'reviews/',
        with: [`x-do: ${task}`],
        gets: 'v1',
        status: task === 'overloaded' ? 503 : Number(task),
        reached: { v1: times },
      },
    ],
  })),
  {
    title: 'retries stay with the version that was chosen',
    config: rules(
      `route: [{ destination: { host: reviews, subset: dead }, weight: 100 }, { destination: { host: reviews, subset: v2 }, weight: 0 }], retries: { attempts: 2, retryOn: connect-failure, backoff: 1ms }`,
    ),
    requests: [{ ask: 'reviews/', gets: 503, reached: {} }],
  },
  {
    vector: 'A20',
    title: 'a timeout is one of the whole answer, and without one a slow version is waited for',
    config: rules(
      `match: [{ uri: { prefix: /hasty } }], ${to('v1')}, timeout: 200ms`,
      `match: [{ uri: { prefix: /patient } }], ${to('v1')}, timeout: 15s`,
      to('v1'),
    ),
    requests: [
      { ask: 'reviews/hasty', with: ['x-do: slow'], gets: 504, reached: { v1: 1 } },
      { ask: 'reviews/patient', with: ['x-do: slow'], gets: 'v1' },
      { ask: 'reviews/', with: ['x-do: slow'], gets: 'v1' },
    ],
  },
  {
    vector: 'A21',
    title: 'clients do not order retries or timeouts',
    config: rules(to('v1')),
    requests: [
      {
        ask: 'reviews/',
        with: ['x-do: 503', 'x-envoy-max-retries: 3', 'x-envoy-retry-on: 5xx', 'x-envoy-upstream-rq-timeout-ms: 1'],
        gets: 'v1',
        status: 503,
        sent: { 'x-envoy-max-retries': null, 'x-envoy-retry-on': null, 'x-envoy-upstream-rq-timeout-ms': null },
        reached: { v1: 1 },
      },
    ],
  },
  {
    vector: 'A21',
    title: 'a trusted peer does, and the version does not see it',
    isTrusted: true,
    config: rules(
      `match: [{ uri: { prefix: /policy } }], ${to('v1')}, retries: { attempts: 1, retryOn: '500', backoff: 1ms }, timeout: 15s`,
      `match: [{ uri: { prefix: /off } }], ${to('v1')}, retries: { attempts: 0 }`,
      to('v1'),
    ),
    requests: [
      {
        ask: 'reviews/',
        with: ['x-do: 503', 'x-envoy-max-retries: 3', 'x-envoy-retry-on: reset, gateway-error', 'x-envoy-decorator-operation: a'],
        gets: 'v1',
        status: 503,
        sent: { 'x-envoy-max-retries': null, 'x-envoy-retry-on': null, 'x-envoy-decorator-operation': null, 'x-envoy-attempt-count': '4' },
        reached: { v1: 4 },
      },
      // Envoy's own number of retries; a condition is needed; a status is none.
      { ask: 'reviews/', with: ['x-do: 503', 'x-envoy-retry-on: 5xx'], gets: 'v1', status: 503, reached: { v1: 2 } },
      { ask: 'reviews/', with: ['x-do: 503', 'x-envoy-max-retries: 3'], gets: 'v1', status: 503, reached: { v1: 1 } },
      { ask: 'reviews/', with: ['x-do: 503', 'x-envoy-retry-on: 503,cancelled'], gets: 'v1', status: 503, reached: { v1: 1 } },
      { ask: 'reviews/off', with: ['x-do: 503', 'x-envoy-retry-on: 5xx'], gets: 'v1', status: 503, reached: { v1: 2 } },
      // Beside what the route retries on; its number gives way.
      { ask: 'reviews/policy', with: ['x-do: 500', 'x-envoy-max-retries: 2'], gets: 'v1', status: 500, reached: { v1: 3 } },
      { ask: 'reviews/policy', with: ['x-do: 500', 'x-envoy-max-retries: 0'], gets: 'v1', status: 500, reached: { v1: 1 } },
      { ask: 'reviews/policy', with: ['x-do: 500', 'x-envoy-max-retries: many'], gets: 'v1', status: 500, reached: { v1: 2 } },
      { ask: 'reviews/policy', with: ['x-do: 409', 'x-envoy-retry-on: retriable-4xx'], gets: 'v1', status: 409, reached: { v1: 2 } },
      {
        ask: 'reviews/policy',
        with: ['x-do: 418', 'x-envoy-retriable-status-codes: 400, 418'],
        gets: 'v1',
        status: 418,
        reached: { v1: 2 },
      },
      {
        ask: 'reviews/',
        with: ['x-do: 404', 'x-envoy-retry-on: retriable-headers', 'x-envoy-retriable-header-names: X-Who'],
        gets: 'v1',
        status: 404,
        reached: { v1: 2 },
      },
    ],
  },
  {
    title: 'a trusted peer sets times',
    isTrusted: true,
    config: rules(
      `match: [{ uri: { prefix: /hasty } }], ${to('v1')}, timeout: 250ms`,
      `match: [{ uri: { prefix: /policy } }], ${to('v1')}, retries: { attempts: 1, retryOn: 5xx, backoff: 1ms }`,
      to('v1'),
    ),
    requests: [
      { ask: 'reviews/', with: ['x-do: slow', 'x-envoy-upstream-rq-timeout-ms: 250'], gets: 504, reached: { v1: 1 } },
      { ask: 'reviews/', with: ['x-do: slow', 'x-envoy-upstream-rq-per-try-timeout-ms: 250'], gets: 504, reached: { v1: 1 } },
      {
        ask: 'reviews/hasty',
        with: ['x-do: slow', 'x-envoy-upstream-rq-timeout-ms: 15000'],
        gets: 'v1',
        sent: { 'x-envoy-upstream-rq-timeout-ms': null },
      },
      {
        ask: 'reviews/policy',
        with: ['x-do: slow', 'x-envoy-upstream-rq-per-try-timeout-ms: 250', 'x-envoy-upstream-rq-timeout-ms: 15000'],
        gets: 504,
        reached: { v1: 2 },
      },
      {
        ask: 'reviews/',
        with: ['x-do: slow', 'x-envoy-upstream-rq-timeout-ms: 250', 'x-envoy-upstream-rq-timeout-alt-response: 1'],
        gets: 204,
      },
    ],
  },
];
