/** Requests to the admin API of the Serin that served this page. The session is a cookie that scripts cannot read. */
import type { Problem } from './types.ts';

export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'ApiError';
    this.problem = problem;
  }
}

/** Serin could not be reached at all. */
class UnreachableError extends Error {
  constructor(cause: unknown) {
    super('Serin does not answer', { cause });
    this.name = 'UnreachableError';
  }
}

export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return request('GET', path, undefined, signal);
}

export function post<T>(path: string, body: object): Promise<T> {
  return request('POST', path, body);
}

export function put<T>(path: string, body: object): Promise<T> {
  return request('PUT', path, body);
}

export function remove<T>(path: string): Promise<T> {
  return request('DELETE', path);
}

/** A segment of a path. */
export const segment = encodeURIComponent;

/** @throws ApiError, UnreachableError */
async function request<T>(method: string, path: string, body?: object, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (method !== 'GET') headers['x-serin-csrf'] = '1';
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    throw new UnreachableError(error);
  }
  if (response.status === 204) return undefined as T;
  const answer: unknown = await response.json().catch(() => undefined);
  if (response.ok) return answer as T;
  throw new ApiError({ code: 'E_UNKNOWN', detail: `Serin answered ${response.status}`, ...(answer as object), status: response.status });
}

/** What to tell a person about anything that was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError) return error.problem.hint === undefined ? error.message : `${error.message} (${error.problem.hint})`;
  return error instanceof Error ? error.message : String(error);
}
