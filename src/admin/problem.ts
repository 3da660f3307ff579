/**
 * Errors of the admin API, as `application/problem+json` (RFC 9457).
 *
 * `code` is stable and what programs look at; `title` is the same for every problem of a code; `detail` is about this one. The exit code a
 * command ends with follows from `status` alone (cli/exit.ts).
 */
import { z } from 'zod';

const PROBLEM_CONTENT_TYPE = 'application/problem+json';

const TITLES = {
  E_ADMIN_UNAUTHORIZED: 'the request has no valid token',
  E_ADMIN_HOST: 'the Host header names a host this API does not answer for',
  E_ADMIN_CROSS_SITE: 'the request comes from another site',
  E_ADMIN_CONTENT_TYPE: 'the body is not declared as JSON',
  E_ADMIN_BODY_TOO_LARGE: 'the body is too large',
  E_ADMIN_METHOD: 'the method is not allowed here',
  E_ADMIN_PATH: 'there is nothing at this path',
  E_ADMIN_BUSY: 'too many changes at once',
  E_JSON_SYNTAX: 'the body is not JSON',
  E_JSON_DEPTH: 'the body is nested too deeply',
  E_JSON_DUPLICATE_KEY: 'the body has a key twice',
  E_JSON_RESERVED_KEY: 'the body has a reserved key',
  E_REQUEST_INVALID: 'the request does not have the expected shape',
  E_NAME: 'a name in the path is not valid',
  E_NOT_FOUND: 'there is no such thing',
  E_NOT_READY: 'Serin is not ready',
  E_CONFLICT: 'the rollout is in another state',
  E_STALE: 'the rollout has changed since it was looked at',
  E_BLOCKED: 'something else stands in the way of the rollout',
  E_FROZEN: 'releases are frozen at present',
  E_TARGET_UNHEALTHY: 'the version cannot take requests',
  E_NO_CHANGE: 'the version serves already',
  E_SHIFT_INVALID: 'the shift cannot be made',
  E_STATE_WRITE: 'the change could not be made durable',
  E_APPLY: 'the data plane refused the change',
  E_SHUTTING_DOWN: 'Serin is shutting down',
  E_INTERNAL: 'something went wrong inside Serin',
} as const;

export type ProblemCode = keyof typeof TITLES;

/** One place in the request that is wrong. */
export const FieldError = z.object({
  /** RFC 6901, into the request's body. */
  pointer: z.string(),
  message: z.string(),
});
export type FieldError = z.infer<typeof FieldError>;

/** The wire form; clients parse with it (unknown members are ignored, RFC 9457 §3.2). */
export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.string(),
  detail: z.string(),
  /** What to do about it. */
  hint: z.string().optional(),
  errors: z.array(FieldError).optional(),
});
export type Problem = z.infer<typeof Problem>;

export interface ProblemExtras {
  readonly hint?: string | undefined;
  readonly errors?: readonly FieldError[];
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
    const { hint, errors, headers } = this.extras;
    const problem: Problem = {
      type: `https://serin.dev/problems/${this.code}`,
      title: TITLES[this.code],
      status: this.status,
      code: this.code,
      detail: this.message,
      ...(hint === undefined ? {} : { hint }),
      ...(errors === undefined ? {} : { errors: [...errors] }),
    };
    return new Response(`${JSON.stringify(problem)}\n`, {
      status: this.status,
      headers: { ...headers, 'content-type': PROBLEM_CONTENT_TYPE },
    });
  }
}
