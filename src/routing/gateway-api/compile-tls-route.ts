import type { TlsRoute } from '../../config/gateway-api/types.ts';
import type { TcpCluster, TcpRoute } from '../table.ts';
import { backendCluster, refusedCluster, type RouteContext, ruleName, rulePath, ruleSource } from './route-context.ts';

/**
 * A TLSRoute for one listener: its first rule takes everything, since rules have no conditions of their own.
 *
 * @param serverNames Those that are this listener's; `*` is every name, and none.
 */
export function compileTlsRoute(context: RouteContext<TlsRoute>, serverNames: readonly string[]): readonly TcpRoute[] {
  const { route } = context;
  const [rule] = route.spec.rules;
  if (rule === undefined) return [];
  const isLone = rule.backendRefs.length === 1;
  const clusters = rule.backendRefs.flatMap((reference): readonly TcpCluster[] => {
    const { weight = 1 } = reference;
    return weight === 0 ? [] : [{ cluster: backendCluster(context, reference), weight: isLone ? 1 : weight }];
  });
  if (clusters.length === 0) {
    const nobody = { name: route.metadata.name };
    clusters.push({ cluster: refusedCluster(context.compilation, route, nobody, 'no backend has a weight'), weight: 1 });
  }
  return [
    {
      name: ruleName(rule, 0),
      source: ruleSource(route, rule, 0),
      matches: [{ path: rulePath(0), serverNames }],
      clusters,
      totalWeight: clusters.reduce((sum, { weight }) => sum + weight, 0),
    },
  ];
}
