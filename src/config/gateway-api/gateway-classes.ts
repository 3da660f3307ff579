import type { Snapshot } from '../snapshot.ts';
import { GATEWAY_API_GROUP, type GatewayClass, SERIN_GATEWAY_CLASS, SERIN_GATEWAY_CONTROLLER } from './types.ts';

const IMPLICIT: GatewayClass = {
  apiVersion: `${GATEWAY_API_GROUP}/v1`,
  kind: 'GatewayClass',
  metadata: { name: SERIN_GATEWAY_CLASS, namespace: '' },
  spec: { controllerName: SERIN_GATEWAY_CONTROLLER },
  origin: { file: '', line: 0, column: 0 },
};

/** Those that are declared, and Serin's own, which nobody has to declare. */
export function gatewayClassesOf({ gatewayClasses }: Pick<Snapshot, 'gatewayClasses'>): readonly GatewayClass[] {
  return gatewayClasses.some(({ metadata }) => metadata.name === SERIN_GATEWAY_CLASS) ? gatewayClasses : [IMPLICIT, ...gatewayClasses];
}
