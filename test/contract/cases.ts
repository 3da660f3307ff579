/** Everything the contract holds. */
import { ANSWERS } from './cases/answers.ts';
import { GATEWAY_API_ANSWERS } from './cases/gateway-api-answers.ts';
import { GATEWAY_API_CALLS } from './cases/gateway-api-calls.ts';
import { GATEWAY_API_LISTENERS } from './cases/gateway-api-listeners.ts';
import { GATEWAY_API_MATCHING } from './cases/gateway-api-matching.ts';
import { GATEWAY_API_MESH } from './cases/gateway-api-mesh.ts';
import { GATEWAY_API_MESH_SUITE } from './cases/gateway-api-mesh-suite.ts';
import { HEADER_OPERATIONS } from './cases/header-operations.ts';
import { MATCHING } from './cases/matching.ts';
import { POLICIES } from './cases/policies.ts';
import type { ContractCase } from './contract.ts';

export const CASES: readonly ContractCase[] = [
  ...MATCHING,
  ...ANSWERS,
  ...POLICIES,
  ...HEADER_OPERATIONS,
  ...GATEWAY_API_MATCHING,
  ...GATEWAY_API_LISTENERS,
  ...GATEWAY_API_ANSWERS,
  ...GATEWAY_API_CALLS,
  ...GATEWAY_API_MESH,
  ...GATEWAY_API_MESH_SUITE,
];

/** For a table of tests. */
export const TITLED: readonly (readonly [string, ContractCase])[] = CASES.map((each) => [
  each.vector === undefined ? each.title : `[${each.vector}] ${each.title}`,
  each,
]);
