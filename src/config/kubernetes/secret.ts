/**
 * Secret (core v1): certificates and keys for Gateways and DestinationRules. It has no `spec`: what it says stands beside its metadata.
 *
 * Source: Kubernetes API reference, core/v1 Secret; `kubernetes.io/tls` has tls.crt and tls.key.
 */
import { z } from 'zod';
import { checkShape } from '../istio/shape.ts';
import type { Place } from '../report.ts';
import type { SecretSpec } from '../resources.ts';

const optional = z.exactOptional;
const secretSchema = z.strictObject({
  type: optional(z.string()),
  data: optional(z.nullable(z.record(z.string(), z.string()))),
  stringData: optional(z.nullable(z.record(z.string(), z.string()))),
  immutable: optional(z.boolean()),
});

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** @param value The document without apiVersion, kind and metadata. @param place Of the document. */
export function readSecret(value: Readonly<Record<string, unknown>>, place: Place): SecretSpec | undefined {
  if (!checkShape(secretSchema, value, place)) return undefined;
  const { type = 'Opaque', data, stringData } = value;
  const all: Record<string, string> = {};
  let isGood = true;
  for (const [key, text] of Object.entries(data ?? {})) {
    const packed = text.replace(/\s+/g, '');
    all[key] = packed;
    if (BASE64.test(packed)) continue;
    isGood = false;
    place.at('data').at(key).error('E_SECRET', `the value of ${key} is not base64`, 'put plain text under stringData');
  }
  // As an API server has it: stringData is merged into data and wins.
  for (const [key, text] of Object.entries(stringData ?? {})) all[key] = Buffer.from(text, 'utf8').toString('base64');
  if (type === 'kubernetes.io/tls') {
    for (const key of ['tls.crt', 'tls.key']) {
      if ((all[key] ?? '') !== '') continue;
      isGood = false;
      place.error('E_SECRET', `a Secret of type kubernetes.io/tls needs ${key}`);
    }
  }
  return isGood ? { type, data: all } : undefined;
}
