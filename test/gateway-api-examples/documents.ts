/** Small documents for the tests against the Gateway API's own definitions. */
export interface Example {
  readonly text: string;
  /** `stricter`: valid to an API server, refused by Serin. */
  readonly verdict: 'valid' | 'invalid' | 'stricter';
}

export function documents(kind: string, verdict: Example['verdict'], specs: readonly string[], version = 'v1'): Example[] {
  return specs.map((spec) => ({
    text: `apiVersion: gateway.networking.k8s.io/${version}\nkind: ${kind}\nmetadata: { name: x }\nspec: ${spec}\n`,
    verdict,
  }));
}
