/** What imports of releases have in common: strategies in Serin's words, and the two ways a Rollout finds its versions. */
import { parseDuration } from '../base/duration.ts';
import { head, type Output, type Written } from './emit.ts';

export const SERIN_API = 'serin.dev/v1alpha1';

export type Step = Readonly<Record<string, unknown>>;

/** More than this and a Rollout is refused (config/serin/rollout.ts). */
const MAX_STEPS = 100;

/** Where the versions of a release are. */
export type Versions =
  | { readonly by: 'subset'; readonly host: string; readonly stable: string; readonly canary: string }
  | {
      readonly by: 'route';
      readonly kind: 'HTTPRoute' | 'GRPCRoute';
      readonly route: string;
      readonly stable: string;
      readonly canary: string;
    };

/** The members of `spec` that say which versions. */
export function versionFields(versions: Versions): Readonly<Record<string, unknown>> {
  const { stable, canary } = versions;
  return versions.by === 'subset'
    ? { host: versions.host, stable, canary }
    : { route: { kind: versions.kind, name: versions.route }, stable, canary };
}

/** Weights that grow, each with what is waited for after it, and everybody at the end. */
export function ramp(weights: readonly number[], atLeast: string): readonly Step[] {
  const partial = weights.filter((weight) => weight > 0 && weight < 100);
  const analysis = { atLeast };
  const pairs = partial.flatMap((weight): Step[] => [{ setWeight: weight }, { analysis }]);
  const steps =
    pairs.length < MAX_STEPS ? pairs : partial.slice(0, MAX_STEPS - 1).map((setWeight): Step => ({ stage: { setWeight, analysis } }));
  return [...steps, { setWeight: 100 }];
}

/** A DestinationRule whose subsets are told apart by a label, `version` as Istio's documents have it. */
export function subsetRule(
  host: string,
  namespace: string | undefined,
  labels: Readonly<Record<string, string>>,
  trafficPolicy?: unknown,
): Output {
  const subsets = Object.entries(labels).map(([name, version]) => ({ name, labels: { version } }));
  const names = Object.values(labels).join(' and ');
  return {
    remarks: [`Label the Pods version: ${names}, and let the Service ${host} select both.`],
    document: {
      ...head('networking.istio.io/v1', 'DestinationRule', host, namespace),
      spec: { host, ...(trafficPolicy === undefined ? {} : { trafficPolicy }), subsets },
    },
  };
}

/** A VirtualService that sends everything to stable; a Rollout moves it. @param rule What the rule says beside. */
export function subsetService(
  host: string,
  namespace: string | undefined,
  { stable, canary }: { readonly stable: string; readonly canary: string },
  rule: Readonly<Record<string, unknown>> = {},
  top: Readonly<Record<string, unknown>> = { hosts: [host] },
): Written {
  const route = [
    { destination: { host, subset: stable }, weight: 100 },
    { destination: { host, subset: canary }, weight: 0 },
  ];
  return { ...head('networking.istio.io/v1', 'VirtualService', host, namespace), spec: { ...top, http: [{ ...rule, route }] } };
}

/** An HTTPRoute that sends everything to the stable Service. */
export function serviceRoute(
  name: string,
  namespace: string | undefined,
  { stable, canary, port }: { readonly stable: string; readonly canary: string; readonly port: number },
  rule: Readonly<Record<string, unknown>> = {},
  top: Readonly<Record<string, unknown>> = { parentRefs: [serviceParent(name, port)] },
): Written {
  const backendRefs = [
    { name: stable, port, weight: 100 },
    { name: canary, port, weight: 0 },
  ];
  return { ...head('gateway.networking.k8s.io/v1', 'HTTPRoute', name, namespace), spec: { ...top, rules: [{ ...rule, backendRefs }] } };
}

/** The mesh form: calls to a Service by its name. */
export function serviceParent(name: string, port: number): object {
  return { group: '', kind: 'Service', name, port };
}

export function isDuration(text: string): boolean {
  return (parseDuration(text) ?? -1) >= 0;
}

export function durationText(ms: number): string {
  const parts: string[] = [];
  let rest = Math.round(ms);
  for (const [unit, size] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const) {
    if (rest < size) continue;
    parts.push(`${Math.floor(rest / size)}${unit}`);
    rest %= size;
  }
  return parts.join('') || '0s';
}
