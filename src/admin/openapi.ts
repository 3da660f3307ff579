/**
 * The OpenAPI 3.1 document of the admin API, made from its operations.
 *
 * Schemas are JSON Schema 2020-12, which OpenAPI 3.1 takes as it is; those with a name (`.meta({ id })`) stand once, under components. What a
 * request is validated with is described by its input, what is answered by its output.
 */
import { z } from 'zod';
import type { Operation } from './operation.ts';
import { AREAS } from './operations/operations.ts';
import { Problem, type ProblemCode, PROBLEMS } from './problem.ts';

type Json = Record<string, unknown>;

/** @param version Of this Serin. */
export function openApiDocument(version: string): Json {
  const components = new Components();
  const paths: Record<string, Json> = {};
  for (const [area, operations] of Object.entries(AREAS)) {
    for (const each of operations) {
      const methods = (paths[each.path] ??= {});
      methods[each.method.toLowerCase()] = operationObject(each, area, components);
    }
  }
  return {
    openapi: '3.1.1',
    jsonSchemaDialect: 'https://spec.openapis.org/oas/3.1/dialect/base',
    info: { title: 'Serin', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    tags: Object.keys(AREAS).map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'a token of `serin token create`, or the one of the state directory' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'serin-session-PORT',
          description: 'what openSession sets; over TLS it is called __Host-serin-PORT. PORT is the one the admin API listens on',
        },
      },
      schemas: components.schemas,
    },
  };
}

function operationObject(described: Operation, area: string, components: Components): Json {
  const { id, summary, description, scope, params, query, headers, body } = described;
  const parameters = [
    ...Object.entries(params).map(([name, schema]) => ({ name, in: 'path', required: true, schema: components.of(schema, 'input') })),
    ...Object.entries(query).map(([name, schema]) => ({
      name,
      in: 'query',
      required: isRequired(schema),
      schema: components.of(schema, 'input'),
    })),
    ...Object.entries(headers).map(([name, schema]) => ({
      name,
      in: 'header',
      required: isRequired(schema),
      schema: components.of(schema, 'input'),
    })),
  ];
  return {
    operationId: id,
    tags: [area],
    summary,
    ...(description === undefined ? {} : { description }),
    security: scope === undefined ? [] : [{ token: [] }, { session: [] }],
    ...(scope === undefined ? {} : { 'x-serin-scope': scope }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: components.of(body, 'input') } } } }),
    responses: { ...successResponse(described, components), ...problemResponses(described, components) },
  };
}

function successResponse({ success, hasEtag }: Operation, components: Components): Json {
  const { status = 200, description, schema, contentType } = success;
  const content = {
    ...(schema === undefined ? {} : { 'application/json': { schema: components.of(schema, 'output') } }),
    ...(contentType === undefined ? {} : { [contentType]: { schema: { type: 'string' } } }),
  };
  return {
    [status]: {
      description,
      ...(hasEtag ? { headers: { ETag: { schema: { type: 'string' } } } } : {}),
      ...(Object.keys(content).length === 0 ? {} : { content }),
    },
  };
}

/** By status; where several codes have the same one, their titles tell them apart. */
function problemResponses(described: Operation, components: Components): Json {
  const problem = components.of(Problem, 'output');
  const byStatus = Map.groupBy(problemsOf(described), (code) => PROBLEMS[code].status);
  return Object.fromEntries(
    [...byStatus]
      .sort(([one], [other]) => one - other)
      .map(([status, codes]) => [
        String(status),
        {
          description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('; '),
          content: { 'application/problem+json': { schema: { allOf: [problem, { properties: { code: { enum: codes } } }] } } },
        },
      ]),
  );
}

/** What an operation can answer when it does not do what was asked: its own problems, and those that follow from what it takes. */
function problemsOf({ method, scope, params, query, headers, body, problems }: Operation): readonly ProblemCode[] {
  const isEmpty = (shape: object): boolean => Object.keys(shape).length === 0;
  const found: ProblemCode[] = ['E_ADMIN_HOST', 'E_INTERNAL', ...problems];
  if (scope !== undefined) found.push('E_ADMIN_UNAUTHORIZED', 'E_ADMIN_TOO_MANY_FAILURES');
  if (scope !== undefined && scope !== 'read') found.push('E_ADMIN_FORBIDDEN');
  if (scope !== undefined || method !== 'GET') found.push('E_ADMIN_CROSS_SITE');
  if (method !== 'GET') found.push('E_ADMIN_CONTENT_TYPE');
  if (scope !== undefined && method !== 'GET') found.push('E_ADMIN_CSRF');
  if (isChange({ method, scope })) found.push('E_ADMIN_BUSY');
  if (!isEmpty(params)) found.push('E_NAME');
  if (!isEmpty(query)) found.push('E_QUERY');
  if (!isEmpty(headers) || body !== undefined) found.push('E_REQUEST_INVALID');
  if (body !== undefined)
    found.push('E_ADMIN_BODY_TOO_LARGE', 'E_JSON_SYNTAX', 'E_JSON_DEPTH', 'E_JSON_DUPLICATE_KEY', 'E_JSON_RESERVED_KEY');
  return [...new Set(found)];
}

/** Everything but looks, which `explain` is one of. */
export function isChange({ method, scope }: Pick<Operation, 'method' | 'scope'>): boolean {
  return method !== 'GET' && scope !== 'read';
}

function isRequired(schema: z.ZodType): boolean {
  return !schema.safeParse(undefined).success;
}

/** The schemas under components, filled by what refers to them. */
class Components {
  readonly schemas: Record<string, unknown> = {};

  of(schema: z.ZodType, io: 'input' | 'output'): unknown {
    const { $schema: _dialect, $defs = {}, ...rest } = z.toJSONSchema(schema, { io });
    for (const [name, definition] of Object.entries($defs)) {
      const text = JSON.stringify(relocated(definition));
      const known = JSON.stringify(this.schemas[name]) as string | undefined;
      if (known !== undefined && known !== text) throw new Error(`two schemas are named ${name}`);
      this.schemas[name] = JSON.parse(text);
    }
    return relocated(rest);
  }
}

/** With references to where the document has its schemas. */
function relocated(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll('"#/$defs/', '"#/components/schemas/'));
}
