/**
 * Building blocks of the Gateway API's schemas: texts with the patterns its custom resource definitions give them, and the references that several
 * kinds share.
 *
 * Source: kubernetes-sigs/gateway-api apis/v1 shared_types.go and object_reference_types.go, v1.6. Patterns accept the same texts as theirs; those
 * that would take a backtracking engine more than linear time are written differently. A text that is too long is not held against its pattern.
 */
import { z } from 'zod';
import { formatted, optional, type Format } from '../istio/fields.ts';

const SUBDOMAIN = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*';
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+$/;
/** What a path may consist of (RFC 3986 §3.3). */
export const PATH = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$/;
export const HOSTNAME = new RegExp(`^(?:\\*\\.)?${SUBDOMAIN}$`);
const PRECISE_HOSTNAME = new RegExp(`^${SUBDOMAIN}$`);
/** Of labels and annotations: an optional prefix, then a name of at most 63 characters. */
export const QUALIFIED_KEY = new RegExp(`^(?:${SUBDOMAIN}/)?(?:[A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$`);

/** At least `min` and at most `max` characters; an API server counts code points. */
export function sized(min: number, max: number): z.ZodString {
  return formatted(
    z
      .string()
      .min(min)
      .refine((text) => text.length <= max || Array.from(text).length <= max, { abort: true }),
    { code: 'E_RANGE', expected: `at most ${max} characters` },
  );
}

function pattern(min: number, max: number, regex: RegExp, format: Format): z.ZodString {
  return formatted(z.string().min(min, { abort: true }).max(max, { abort: true }).regex(regex), format);
}

export const group = pattern(0, 253, new RegExp(`^$|^${SUBDOMAIN}$`), {
  code: 'E_NAME',
  expected: 'the group of an API',
  hint: 'such as gateway.networking.k8s.io, or "" for the core',
});
export const objectKind = pattern(1, 63, /^[a-zA-Z](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/, {
  code: 'E_NAME',
  expected: 'the kind of a resource',
  hint: 'such as Service: letters, digits and -, beginning with a letter',
});
/** What an API server would look up: it refuses only what is empty or too long. */
export const objectName = sized(1, 253);
export const namespace = pattern(1, 63, /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/, {
  code: 'E_NAME',
  expected: 'the name of a namespace',
  hint: 'lower-case letters, digits and -, beginning and ending with a letter or digit',
});
/** Of a listener, a rule or a port. */
export const sectionName = pattern(1, 253, PRECISE_HOSTNAME, {
  code: 'E_NAME',
  expected: 'a section name',
  hint: 'lower-case letters, digits, - and ., beginning and ending with a letter or digit',
});
export const hostname = pattern(1, 253, HOSTNAME, {
  code: 'E_HOST',
  expected: 'a host name',
  hint: 'lower-case letters, digits, - and ., without a port; *. may stand before it',
});
export const preciseHostname = pattern(1, 253, PRECISE_HOSTNAME, {
  code: 'E_HOST',
  expected: 'a host name',
  hint: 'lower-case letters, digits, - and ., without a port or *',
});
export const headerName = pattern(1, 256, TOKEN, {
  code: 'E_HEADER_NAME',
  expected: 'an HTTP header name',
  hint: 'letters, digits and - are safe',
});
/** One optional blank between visible characters, as upstream has it. */
export const headerValue = pattern(1, 4096, /^[!-~]+(?:[\t ][!-~]+)*$/, {
  code: 'E_HEADER_VALUE',
  expected: 'a header value',
  hint: 'visible ASCII with single blanks between the words',
});
/** A subset of Go's durations (GEP-2257): no fractions, no signs, hours to milliseconds. */
export const duration = formatted(z.string().regex(/^(?:[0-9]{1,5}(?:h|m|s|ms)){1,4}$/), {
  code: 'E_DURATION',
  expected: 'a duration',
  hint: 'one to four whole numbers with units: 500ms, 30s, 1h30m',
});
export const listenerProtocol = pattern(1, 255, new RegExp(`^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$|${SUBDOMAIN}\\/[A-Za-z0-9]+$`), {
  code: 'E_PROTOCOL',
  expected: 'a protocol',
  hint: 'HTTP, HTTPS or TLS, or DOMAIN/NAME for one of your own',
});
export const addressType = pattern(
  1,
  253,
  new RegExp(`^Hostname|IPAddress|NamedAddress|${SUBDOMAIN}\\/[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+$`),
  {
    code: 'E_ENUM',
    expected: 'the type of an address',
    hint: 'IPAddress or Hostname',
  },
);
export const controllerName = pattern(1, 253, new RegExp(`^${SUBDOMAIN}\\/[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+$`), {
  code: 'E_NAME',
  expected: 'the name of a controller',
  hint: 'DOMAIN/PATH: serin.dev/gateway-controller is Serin',
});
export const corsOrigin = pattern(
  1,
  253,
  /(?:^\*$)|(?:^https?:\/\/(?:(?:(?:\*\.)?(?:[a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(?::[0-9]{1,5})?)$)/,
  {
    code: 'E_CORS',
    expected: 'an origin',
    hint: 'SCHEME://HOST or SCHEME://HOST:PORT with http or https, or "*"',
  },
);
/** RFC 3986, appendix B, with an authority. */
export const absoluteUri = pattern(1, 253, /^(?:[^:/?#]+:)(?:\/\/[^/?#]*)[^?#]*(?:\?[^#]*)?(?:#.*)?/, {
  code: 'E_URL',
  expected: 'an absolute URI',
  hint: 'such as spiffe://cluster.local/ns/default/sa/web',
});
export const wellKnownCertificates = pattern(
  1,
  253,
  new RegExp(`^(?:System|(?:${SUBDOMAIN}/(?:[A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]))$`),
  { code: 'E_TLS_CA', expected: 'the name of a set of CAs', hint: 'System stands for those of this machine' },
);
export const pathText = pattern(0, 1024, PATH, { code: 'E_PATH', expected: 'a path', hint: 'encode other characters as %XX' });

export const portNumber = z.int32().min(1).max(65_535);
const weight = z.int32().min(0).max(1_000_000);
export const annotationValue = sized(0, 4096);
export const labelValue = pattern(0, 63, /^(?:(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/, {
  code: 'E_NAME',
  expected: 'a label value',
  hint: 'letters, digits, -, _ and ., beginning and ending with a letter or digit',
});

// --- references ---------------------------------------------------------------------------------------------------------------------

export const parentRef = z.strictObject({
  group: optional(group),
  kind: optional(objectKind),
  namespace: optional(namespace),
  name: objectName,
  sectionName: optional(sectionName),
  port: optional(portNumber),
});

const backendFields = {
  group: optional(group),
  kind: optional(objectKind),
  name: objectName,
  namespace: optional(namespace),
  port: optional(portNumber),
};
export const backendObjectRef = z.strictObject(backendFields);
export const weightedBackendFields = { ...backendFields, weight: optional(weight) };

export const secretRef = z.strictObject({
  group: optional(group),
  kind: optional(objectKind),
  name: objectName,
  namespace: optional(namespace),
});
export const objectRef = z.strictObject({ group, kind: objectKind, name: objectName, namespace: optional(namespace) });
export const localRef = z.strictObject({ group, kind: objectKind, name: objectName });

/** metav1.LabelSelector; its words are not checked by an API server here. */
export const labelSelector = z.strictObject({
  matchLabels: optional(z.record(z.string(), z.string())),
  matchExpressions: optional(z.array(z.strictObject({ key: z.string(), operator: z.string(), values: optional(z.array(z.string())) }))),
});
