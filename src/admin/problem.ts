/**
 * Errors of the admin API, as `application/problem+json` (RFC 9457).
 *
 * `code` is stable and what programs look at; `title` is the same for every problem of a code; `detail` is about this one. The exit code a
 * command ends with follows from `status` alone (cli/exit.ts).
 */
import { z } from 'zod';
import { ApiDiagnostic } from './diagnostic-types.ts';

const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** What every code says, and the status it comes with. */
export const PROBLEMS = {
  E_ADMIN_UNAUTHORIZED: { status: 401, title: 'the request has no valid token' },
  E_ADMIN_FORBIDDEN: { status: 403, title: 'the token does not allow this' },
  E_ADMIN_TOO_MANY_FAILURES: { status: 429, title: 'too many requests without a valid token' },
  E_ADMIN_TOO_MANY_STREAMS: { status: 429, title: 'too many streams of events are open' },
  E_ADMIN_HOST: { status: 403, title: 'the Host header names a host this API does not answer for' },
  E_ADMIN_CROSS_SITE: { status: 403, title: 'the request comes from another site' },
  E_ADMIN_CSRF: { status: 403, title: 'the browser may have sent the request by itself' },
  E_ADMIN_CONTENT_TYPE: { status: 415, title: 'the body is not declared as JSON' },
  E_ADMIN_BODY_TOO_LARGE: { status: 413, title: 'the body is too large' },
  E_ADMIN_METHOD: { status: 405, title: 'the method is not allowed here' },
  E_ADMIN_PATH: { status: 404, title: 'there is nothing at this path' },
  E_ADMIN_BUSY: { status: 429, title: 'too many changes at once' },
  E_JSON_SYNTAX: { status: 400, title: 'the body is not JSON' },
  E_JSON_DEPTH: { status: 400, title: 'the body is nested too deeply' },
  E_JSON_DUPLICATE_KEY: { status: 400, title: 'the body has a key twice' },
  E_JSON_RESERVED_KEY: { status: 400, title: 'the body has a reserved key' },
  E_ADMIN_MALFORMED: { status: 400, title: 'the request is malformed' },
  E_QUERY: { status: 400, title: 'the query is not as expected' },
  E_REQUEST_INVALID: { status: 422, title: 'the request does not have the expected shape' },
  E_CONFIG_INVALID: { status: 422, title: 'the configuration cannot be used' },
  E_NAME: { status: 422, title: 'a name in the path is not valid' },
  E_NOT_FOUND: { status: 404, title: 'there is no such thing' },
  E_AMBIGUOUS: { status: 409, title: 'two kinds have a resource of this name' },
  E_NOT_READY: { status: 503, title: 'Serin is not ready' },
  E_CONFLICT: { status: 409, title: 'the rollout is in another state' },
  E_APPROVAL: { status: 403, title: 'this person cannot approve the rollout' },
  E_STALE: { status: 412, title: 'what is to be changed has changed since it was looked at' },
  E_FILE_OWNED: { status: 409, title: 'a file declares the resource' },
  E_BLOCKED: { status: 409, title: 'something else stands in the way of the rollout' },
  E_FROZEN: { status: 409, title: 'releases are frozen at present' },
  E_TARGET_UNHEALTHY: { status: 422, title: 'the version cannot take requests' },
  E_NO_CHANGE: { status: 422, title: 'the version serves already' },
  E_SHIFT_INVALID: { status: 422, title: 'the shift cannot be made' },
  E_STATE_WRITE: { status: 507, title: 'the change could not be made durable' },
  E_APPLY: { status: 500, title: 'the data plane refused the change' },
  E_SHUTTING_DOWN: { status: 503, title: 'Serin is shutting down' },
  E_INTERNAL: { status: 500, title: 'something went wrong inside Serin' },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly title: string }>>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One place in the request that is wrong. */
export const FieldError = z.object({
  /** RFC 6901, into the request's body. */
  pointer: z.string(),
  message: z.string(),
});
export type FieldError = z.infer<typeof FieldError>;

/** The wire form; clients parse with it (unknown members are ignored, RFC 9457 §3.2). */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    code: z.string(),
    detail: z.string(),
    /** What to do about it. */
    hint: z.string().optional(),
    errors: z.array(FieldError).optional(),
    /** What is wrong with the configuration. */
    diagnostics: z.array(ApiDiagnostic).optional(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof Problem>;

export interface ProblemExtras {
  readonly hint?: string | undefined;
  readonly errors?: readonly FieldError[];
  readonly diagnostics?: readonly ApiDiagnostic[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown anywhere below a handler; turned into a response in one place (server.ts). */
export class ProblemError extends Error {
  readonly status: number;
  readonly code: ProblemCode;
  readonly extras: ProblemExtras;

  constructor(status: number, code: ProblemCode, detail: string, extras: ProblemExtras = {}, options?: ErrorOptions) {
    super(detail, options);
    this.name = 'ProblemError';
    this.status = status;
    this.code = code;
    this.extras = extras;
  }

  toResponse(): Response {
    const { hint, errors, diagnostics, headers } = this.extras;
    const problem: Problem = {
      type: `https://serin.dev/problems/${this.code}`,
      title: PROBLEMS[this.code].title,
      status: this.status,
      code: this.code,
      detail: this.message,
      ...(hint === undefined ? {} : { hint }),
      ...(errors === undefined ? {} : { errors: [...errors] }),
      ...(diagnostics === undefined ? {} : { diagnostics: [...diagnostics] }),
    };
    return new Response(`${JSON.stringify(problem)}\n`, {
      status: this.status,
      headers: { ...headers, 'content-type': PROBLEM_CONTENT_TYPE },
    });
  }
}
