import { describe, expect, test } from 'vitest';
import type { Condition, GatewayApiStatus, GatewayApiStatuses } from '../routing/gateway-api/status.ts';
import { conditionTimes, timedGroups, timedStatus } from './condition-times.ts';

const condition = (type: string, status: Condition['status'], message = ''): Condition => ({
  type,
  status,
  reason: status === 'True' ? type : 'Invalid',
  message,
  observedGeneration: 1,
});

const KEY = 'HTTPRoute default/reviews';
const route = (...conditions: readonly Condition[]): GatewayApiStatus => ({
  parents: [{ parentRef: { name: 'front' }, controllerName: 'serin.dev/gateway-controller', conditions }],
});
const of = (status: GatewayApiStatus): GatewayApiStatuses => new Map([[KEY, status]]);
const at = (second: number): number => Date.parse('2026-01-02T03:04:00.700Z') + second * 1000;
const time = (second: number): string => `2026-01-02T03:04:0${second}Z`;

describe('lastTransitionTime', () => {
  test('changes with the status of a condition, and stays for another reason, message or generation', () => {
    const first = conditionTimes(of(route(condition('Accepted', 'True'), condition('ResolvedRefs', 'True'))), new Map(), at(0));
    const second = conditionTimes(
      of(
        route(
          { ...condition('Accepted', 'True'), reason: 'Other', message: 'new', observedGeneration: 2 },
          condition('ResolvedRefs', 'False'),
        ),
      ),
      first,
      at(1),
    );
    const status = route(condition('Accepted', 'True'), condition('ResolvedRefs', 'False'));
    expect(timedStatus(KEY, status, second)).toMatchObject({
      parents: [
        {
          conditions: [
            { type: 'Accepted', lastTransitionTime: time(0) },
            { type: 'ResolvedRefs', lastTransitionTime: time(1) },
          ],
        },
      ],
    });
    const third = conditionTimes(of(status), second, at(2));
    expect([...third]).toEqual([...second]);
  });

  test('goes with a condition to another place in the status', () => {
    const [a, b] = [condition('Accepted', 'True'), condition('ResolvedRefs', 'True')];
    const first = conditionTimes(of(route(b)), new Map(), at(0));
    const second = conditionTimes(of(route(a, b)), first, at(1));
    expect([...second.values()].flat().map(({ type, since }) => [type, since])).toEqual([
      ['Accepted', time(1)],
      ['ResolvedRefs', time(0)],
    ]);
  });

  test('is not remembered of what was gone in between', () => {
    const status = of(route(condition('Accepted', 'True')));
    const gone = conditionTimes(new Map(), conditionTimes(status, new Map(), at(0)), at(1));
    expect(gone.size).toBe(0);
    expect([...conditionTimes(status, gone, at(2)).values()].flat().map(({ since }) => since)).toEqual([time(2)]);
  });

  test('is told apart by parent, section and port', () => {
    const parents = [
      { name: 'front' },
      { name: 'front', sectionName: 'web' },
      { name: 'front', port: 80 },
      { kind: 'Service', name: 'front' },
    ];
    const status = (last: Condition['status']): GatewayApiStatus => ({
      parents: parents.map((parentRef, index) => ({
        parentRef,
        controllerName: 'c',
        conditions: [condition('Accepted', index === parents.length - 1 ? last : 'True')],
      })),
    });
    const times = conditionTimes(of(status('False')), conditionTimes(of(status('True')), new Map(), at(0)), at(1));
    expect([...times.values()].flat().map(({ since }) => since)).toEqual([time(0), time(0), time(0), time(1)]);
  });
});

test('a status keeps its own fields and order, and every condition of it has a time', () => {
  const gateway: GatewayApiStatus = {
    conditions: [condition('Accepted', 'True')],
    listeners: [
      { name: 'web', supportedKinds: [{ kind: 'HTTPRoute' }], attachedRoutes: 3, conditions: [condition('Programmed', 'True')] },
      { name: 'tls', supportedKinds: [], attachedRoutes: 0, conditions: [condition('Programmed', 'False', 'no certificate')] },
    ],
    attachedListenerSets: 1,
  };
  const times = conditionTimes(new Map([['g', gateway]]), new Map(), at(0));
  expect(timedStatus('g', gateway, times)).toEqual({
    conditions: [{ ...condition('Accepted', 'True'), lastTransitionTime: time(0) }],
    listeners: [
      {
        name: 'web',
        supportedKinds: [{ kind: 'HTTPRoute' }],
        attachedRoutes: 3,
        conditions: [{ ...condition('Programmed', 'True'), lastTransitionTime: time(0) }],
      },
      {
        name: 'tls',
        supportedKinds: [],
        attachedRoutes: 0,
        conditions: [{ ...condition('Programmed', 'False', 'no certificate'), lastTransitionTime: time(0) }],
      },
    ],
    attachedListenerSets: 1,
  });
  expect(timedGroups('g', gateway, times).map(({ about }) => about)).toEqual(['', 'listener web', 'listener tls']);
});

test('an ancestor of a policy is called as the policy has it', () => {
  const policy: GatewayApiStatus = {
    ancestors: [
      {
        ancestorRef: { group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'infra', name: 'front', sectionName: 'web' },
        controllerName: 'c',
        conditions: [condition('Accepted', 'True')],
      },
    ],
  };
  expect(timedGroups('p', policy, new Map()).map(({ about }) => about)).toEqual(['ancestor Gateway infra/front web']);
});
