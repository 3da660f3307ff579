/** Moving traffic by hand. */
import { z } from 'zod';
import { because } from '../access.ts';
import { Reason, ShiftList, ShiftRequest, ShiftResult } from '../api-types.ts';
import { NAME, type Operation, operation } from '../operation.ts';
import type { ProblemCode } from '../problem.ts';

const path = '/api/v1/shifts/{namespace}/{host}';
const params = { namespace: NAME, host: NAME };
const routePath = '/api/v1/shifts/{namespace}/{kind}/{name}';
const routeParams = {
  namespace: NAME,
  kind: z.enum(['httproute', 'grpcroute'], { error: 'is no kind of route: expected httproute or grpcroute' }),
  name: NAME,
};

const SHIFT_PROBLEMS: readonly ProblemCode[] = [
  'E_NOT_FOUND',
  'E_CONFLICT',
  'E_SHIFT_INVALID',
  'E_TARGET_UNHEALTHY',
  'E_APPLY',
  'E_STATE_WRITE',
  'E_SHUTTING_DOWN',
];
const RESET_PROBLEMS: readonly ProblemCode[] = ['E_NOT_FOUND', 'E_TARGET_UNHEALTHY', 'E_APPLY', 'E_STATE_WRITE', 'E_SHUTTING_DOWN'];
const success = { description: 'The split before and after', schema: ShiftResult };

export const SHIFTS: readonly Operation[] = [
  operation({
    id: 'listShifts',
    method: 'GET',
    path: '/api/v1/shifts',
    summary: 'Shifts by hand that are in force',
    scope: 'read',
    problems: [],
    success: { description: 'All of them', schema: ShiftList },
    handle: (ports) => ({ items: [...ports.shifts()] }),
  }),
  operation({
    id: 'shift',
    method: 'PUT',
    path,
    summary: 'Split the traffic of a service over its versions by weight',
    description: 'Answered when the shift is durable and in force.',
    scope: 'operate',
    params,
    body: ShiftRequest,
    problems: SHIFT_PROBLEMS,
    success,
    handle: (ports, { params: { namespace, host }, body: { weights, reason }, by }) =>
      ports.shift(namespace, host, weights, because(by, reason)),
  }),
  operation({
    id: 'resetShift',
    method: 'DELETE',
    path,
    summary: 'Drop a shift: the files are in force again',
    scope: 'operate',
    params,
    query: { reason: Reason },
    problems: RESET_PROBLEMS,
    success,
    handle: (ports, { params: { namespace, host }, query, by }) => ports.resetShift(namespace, host, because(by, query.reason)),
  }),
  operation({
    id: 'shiftRoute',
    method: 'PUT',
    path: routePath,
    summary: 'Split what Services have of the traffic of an HTTPRoute or GRPCRoute by weight',
    description: 'Other backends of the route keep their shares. Answered when the shift is durable and in force.',
    scope: 'operate',
    params: routeParams,
    body: ShiftRequest,
    problems: SHIFT_PROBLEMS,
    success,
    handle: (ports, { params: { namespace, kind, name }, body: { weights, reason }, by }) =>
      ports.shift(namespace, `${kind}/${name}`, weights, because(by, reason)),
  }),
  operation({
    id: 'resetRouteShift',
    method: 'DELETE',
    path: routePath,
    summary: 'Drop a shift of a route: the files are in force again',
    scope: 'operate',
    params: routeParams,
    query: { reason: Reason },
    problems: RESET_PROBLEMS,
    success,
    handle: (ports, { params: { namespace, kind, name }, query, by }) =>
      ports.resetShift(namespace, `${kind}/${name}`, because(by, query.reason)),
  }),
];
