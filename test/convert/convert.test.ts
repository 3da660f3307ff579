/**
 * Whoever converts must be told of everything that changes: random configurations in one dialect and what they become in the other are asked the same, and
 * wherever they disagree there must be a change that says so, of a rule that took the request before or takes it now. SERIN_SEED tries other ones.
 */
import { describe, expect, test } from 'vitest';
import type { AnyResource } from '../../src/config/resources.ts';
import { toGatewayApi } from '../../src/routing/convert/to-gateway-api.ts';
import { toIstio } from '../../src/routing/convert/to-istio.ts';
import { converted, tryAll } from './compare.ts';
import { gatewaySample } from './gateway-samples.ts';
import { sample } from './istio-samples.ts';
import { request } from './requests.ts';

const SEED = Number(process.env['SERIN_SEED'] ?? '20261128');
const SAMPLES = Number(process.env['SERIN_SAMPLES'] ?? '300');

/** The class is nobody's that matters: what routes say is what is compared. */
function ofSerin(resource: AnyResource): AnyResource {
  return resource.kind === 'GatewayApiGateway' ? { ...resource, spec: { ...resource.spec, gatewayClassName: 'serin' } } : resource;
}

describe(`every difference is said, of ${SAMPLES} random configurations with 60 requests each`, () => {
  test('to the Gateway API', () => {
    const { used, differences } = tryAll({
      seed: SEED,
      samples: SAMPLES,
      requests: 60,
      sample,
      request,
      convert: (text) => converted(text, toGatewayApi),
    });
    // Else the requests have met nothing of what the two dialects do otherwise.
    expect(differences).toBeGreaterThan(SAMPLES);
    expect(used).toBeGreaterThan(SAMPLES / 2);
  });

  test('to Istio', () => {
    const { used, differences } = tryAll({
      seed: SEED,
      samples: SAMPLES,
      requests: 60,
      sample: gatewaySample,
      request,
      convert: (text) => converted(text, toIstio, ofSerin),
    });
    expect(differences).toBeGreaterThan(0);
    expect(used).toBeGreaterThan(SAMPLES / 2);
  });
});
