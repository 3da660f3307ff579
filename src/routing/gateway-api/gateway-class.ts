/** GatewayClasses: whose Gateways are ours, and what is said of those that are declared. */
import { type GatewayClass, SERIN_GATEWAY_CLASS, SERIN_GATEWAY_CONTROLLER } from '../../config/gateway-api/types.ts';
import { conditionsOf, no, yes, type Verdict } from './conditions.ts';
import type { GatewayClassStatus } from './status.ts';

/** Names of the conformance suite (pkg/features), sorted: the core, and what else is done. */
const SUPPORTED_FEATURES = [
  'BackendTLSPolicy',
  'BackendTLSPolicySANValidation',
  'GRPCRoute',
  'GRPCRouteNamedRouteRule',
  'Gateway',
  'GatewayAddressEmpty',
  'GatewayBackendClientCertificate',
  'GatewayFrontendClientCertificateValidation',
  'GatewayFrontendClientCertificateValidationInsecureFallback',
  'GatewayHTTPListenerIsolation',
  'GatewayHTTPSListenerDetectMisdirectedRequests',
  'GatewayPort8080',
  'GatewayStaticAddresses',
  'HTTPRoute',
  'HTTPRoute303RedirectStatusCode',
  'HTTPRoute307RedirectStatusCode',
  'HTTPRoute308RedirectStatusCode',
  'HTTPRouteBackendProtocolH2C',
  'HTTPRouteBackendProtocolWebSocket',
  'HTTPRouteBackendRequestHeaderModification',
  'HTTPRouteBackendTimeout',
  'HTTPRouteCORS',
  'HTTPRouteDestinationPortMatching',
  'HTTPRouteHostRewrite',
  'HTTPRouteMethodMatching',
  'HTTPRouteNamedRouteRule',
  'HTTPRouteParentRefPort',
  'HTTPRoutePathRedirect',
  'HTTPRoutePathRewrite',
  'HTTPRoutePortRedirect',
  'HTTPRouteQueryParamMatching',
  'HTTPRouteRequestMirror',
  'HTTPRouteRequestMultipleMirrors',
  'HTTPRouteRequestPercentageMirror',
  'HTTPRouteRequestTimeout',
  'HTTPRouteResponseHeaderModification',
  'HTTPRouteRetry',
  'HTTPRouteRetryBackendTimeout',
  'HTTPRouteRetryConnectionError',
  'HTTPRouteSchemeRedirect',
  'ListenerSet',
  'Mesh',
  'MeshConsumerRoute',
  'MeshHTTPRouteBackendRequestHeaderModification',
  'MeshHTTPRouteNamedRouteRule',
  'MeshHTTPRouteQueryParamMatching',
  'MeshHTTPRouteRedirectPath',
  'MeshHTTPRouteRedirectPort',
  'MeshHTTPRouteRewritePath',
  'MeshHTTPRouteSchemeRedirect',
  'ReferenceGrant',
  'TLSRoute',
] as const;

const FEATURES = SUPPORTED_FEATURES.map((name) => ({ name }));

/** By name, every class of ours, `serin` also where nobody declares it; a value where it cannot be accepted. */
export function ownClasses(declared: readonly GatewayClass[]): ReadonlyMap<string, Verdict | undefined> {
  const own = new Map<string, Verdict | undefined>();
  if (!declared.some(({ metadata }) => metadata.name === SERIN_GATEWAY_CLASS)) own.set(SERIN_GATEWAY_CLASS, undefined);
  for (const { metadata, spec } of declared) {
    if (spec.controllerName !== SERIN_GATEWAY_CONTROLLER) continue;
    own.set(metadata.name, spec.parametersRef === undefined ? undefined : parametersProblem(spec.parametersRef));
  }
  return own;
}

/** Serin has no parameters of its own, so that there is no kind which could be referred to. */
export function parametersProblem({
  group,
  kind,
  name,
}: {
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}): Verdict {
  return no('Accepted', 'InvalidParameters', `parametersRef: ${group} ${kind} ${name} is not known here; Serin takes no parameters`);
}

export function gatewayClassStatus({ metadata }: GatewayClass, problem: Verdict | undefined): GatewayClassStatus {
  return { conditions: conditionsOf(metadata, [problem ?? yes('Accepted')]), supportedFeatures: FEATURES };
}
