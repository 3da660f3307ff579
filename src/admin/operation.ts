/**
 * One operation of the admin API, as data: the server routes by it (app.ts), validates with its schemas, and documents it (openapi.ts).
 *
 * `operation` closes over the schemas, so that a handler gets what they promise and the table holds operations of every shape.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { nearest } from '../base/nearest.ts';
import type { Actor, Caller, Scope } from './access.ts';
import type { Door } from './door.ts';
import { readJsonBody } from './json-body.ts';
import type { AdminPorts } from './ports.ts';
import { type ProblemCode, ProblemError } from './problem.ts';
import type { Site } from './site.ts';

type Shape = Readonly<Record<string, z.ZodType>>;
type Parsed<S extends Shape> = { readonly [Key in keyof S]: z.output<S[Key]> };

/**
 * What answers when all goes well. With `schema` JSON; without it the handler makes a Response of type `contentType`, or there is no body (204). With
 * both it is one or the other, as was asked.
 */
export interface Success<Value extends z.ZodType = z.ZodType> {
  /** Default 200. */
  readonly status?: 200 | 201 | 204;
  readonly description: string;
  readonly schema?: Value;
  readonly contentType?: string;
}

interface Described {
  /** Unique, lower camel case; clients name their methods by it. */
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/api/v1/things/{name}`; below /api/ whatever needs a token. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  /** Undefined: nobody has to say who they are. */
  readonly scope: Scope | undefined;
  /** Whether it takes the scope `read` after all where other machines can reach it. */
  readonly isForOwnMachine?: true;
  /** Beside those that follow from the rest (openapi.ts). */
  readonly problems: readonly ProblemCode[];
}

/** What a request has been found to be before its operation sees it. */
export interface Asked {
  readonly request: Request;
  /** Of the path, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Who asks. @throws ProblemError 401 where nobody had to say */
  caller(): Caller;
  /** Of the peer. */
  readonly address: string;
  readonly site: Site;
  /** Signing in and out. */
  readonly door: Door;
  /** Secret of the session in the request's cookie, good or not. */
  readonly session: string | undefined;
  /** For answers that go on: streams. */
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

export interface Operation extends Described {
  readonly params: Shape;
  readonly query: Shape;
  /** Header fields that mean something here, in lower case. */
  readonly headers: Shape;
  readonly body: z.ZodObject | undefined;
  readonly success: Success;
  /** Whether the answer carries an ETag. */
  readonly hasEtag: boolean;
  /** @throws ProblemError */
  run(ports: AdminPorts, asked: Asked): Promise<Response>;
}

interface Input<P extends Shape, Q extends Shape, H extends Shape, B extends z.ZodObject> {
  readonly params: Parsed<P>;
  readonly query: Parsed<Q>;
  readonly headers: Parsed<H>;
  readonly body: z.output<B>;
  readonly caller: Caller;
  /** The caller, as records have them. */
  readonly by: Actor;
  readonly asked: Asked;
}

interface Definition<P extends Shape, Q extends Shape, H extends Shape, B extends z.ZodObject, R extends z.ZodType> extends Described {
  readonly params?: P;
  readonly query?: Q;
  readonly headers?: H;
  readonly body?: B;
  readonly success: Success<R>;
  /** Without its quotes. */
  readonly etag?: (value: z.input<R>) => string | undefined;
  /** A Response is answered as it is. */
  readonly handle: (ports: AdminPorts, input: Input<P, Q, H, B>) => z.input<R> | Response | Promise<z.input<R> | Response>;
}

// oxlint-disable-next-line typescript/no-empty-object-type
type None = {};

export function operation<
  P extends Shape = None,
  Q extends Shape = None,
  H extends Shape = None,
  B extends z.ZodObject = z.ZodObject,
  R extends z.ZodType = z.ZodType,
>({ params, query, headers, body, etag, handle, ...described }: Definition<P, Q, H, B, R>): Operation {
  const shapes = { params: params ?? {}, query: query ?? {}, headers: headers ?? {} };
  const { status = 200, schema } = described.success;
  return {
    ...described,
    ...shapes,
    body,
    hasEtag: etag !== undefined,
    run: async (ports, asked) => {
      const { request } = asked;
      const input = {
        params: parseParams(asked.params, shapes.params) as Parsed<P>,
        query: parseQuery(new URL(request.url).searchParams, shapes.query) as Parsed<Q>,
        headers: parseHeaders(request.headers, shapes.headers) as Parsed<H>,
        body: (body === undefined ? {} : await readJsonBody(request, body)) as z.output<B>,
        get caller() {
          return asked.caller();
        },
        get by() {
          return { name: asked.caller().name, from: asked.address };
        },
        asked,
      };
      const value = await handle(ports, input);
      if (value instanceof Response) return value;
      if (schema === undefined) return new Response(null, { status });
      const tag = etag?.(value);
      return Response.json(value, { status, headers: tag === undefined ? {} : { etag: `"${tag}"` } });
    },
  };
}

/** DNS label rules, dots allowed: what a namespace or a host can be. */
export const NAME = z.string().regex(/^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/, {
  error: "is not a name: expected lower-case letters, digits, '-' and '.', at most 253 characters",
});

/** @throws ProblemError 422 */
function parseParams(found: Readonly<Record<string, string>>, shape: Shape): unknown {
  const result = z.object(shape).safeParse(found);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ProblemError(422, 'E_NAME', `the ${issue?.path.join('.')} ${issue?.message}`);
}

/** Each parameter once, and none that nobody looks at. @throws ProblemError 400 */
function parseQuery(search: URLSearchParams, shape: Shape): unknown {
  const known = Object.keys(shape);
  for (const key of search.keys()) {
    if (!known.includes(key)) {
      const suggestion = nearest(key, known);
      const expected = known.length === 0 ? 'there is none here' : `there are ${known.join(', ')}`;
      throw new ProblemError(400, 'E_QUERY', `unknown query parameter ${JSON.stringify(key)}; ${expected}`, {
        hint: suggestion && `did you mean ${suggestion}?`,
      });
    }
    if (search.getAll(key).length > 1) throw new ProblemError(400, 'E_QUERY', `the query parameter ${key} stands twice`);
  }
  const result = z.object(shape).safeParse(Object.fromEntries(search));
  if (result.success) return result.data;
  throw new ProblemError(
    400,
    'E_QUERY',
    result.error.issues.map((issue) => `the query parameter ${issue.path.join('.')} ${issue.message}`).join('; '),
  );
}

/** @throws ProblemError 422 */
function parseHeaders(headers: Headers, shape: Shape): unknown {
  const found = Object.keys(shape).flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  const result = z.object(shape).safeParse(Object.fromEntries(found));
  if (result.success) return result.data;
  throw new ProblemError(
    422,
    'E_REQUEST_INVALID',
    result.error.issues.map((issue) => `the header ${issue.path.join('.')} ${issue.message}`).join('; '),
  );
}
