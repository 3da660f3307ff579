import type { IstioHttpRoute, Percent, VirtualService } from '../config/resources.ts';
import type { Compilation } from './compilation.ts';
import { perMillion } from './per-million.ts';
import type { Scope } from './scope.ts';
import type { Mirror } from './table.ts';

/**
 * Where copies of a rule's requests go: `mirror` and `mirrors` together, because a release adds its own to what the user wrote. Without a
 * percentage everything is copied; with an explicit 0 nothing (Istio route.go, mirrorPercent).
 */
export function compileMirrors(
  compilation: Compilation,
  { metadata }: VirtualService,
  rule: IstioHttpRoute,
  scope: Scope,
): readonly Mirror[] {
  const single = rule.mirror === undefined ? [] : [{ destination: rule.mirror, percentage: singlePercentage(rule) }];
  return [...single, ...(rule.mirrors ?? [])].flatMap(({ destination, percentage }): readonly Mirror[] => {
    const share = perMillion(percentage, 1_000_000);
    if (share === 0) return [];
    const host = compilation.resolve(destination.host, metadata.namespace);
    const cluster = compilation.clusters.use(host, destination.subset ?? '', destination.port?.number, scope.port);
    return [{ cluster, perMillion: share, marksHost: !compilation.istioCompat }];
  });
}

function singlePercentage({ mirrorPercentage, mirrorPercent, mirror_percent: protoName }: IstioHttpRoute): Percent | undefined {
  const whole = mirrorPercent ?? protoName;
  return mirrorPercentage ?? (whole === undefined ? undefined : { value: whole });
}
