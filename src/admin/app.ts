/**
 * The operations (operations/) as an application: routes, who may ask what, how many changes wait, and what every answer carries.
 *
 * Every error is problem+json, GET and HEAD change nothing, and a method that a path does not have is a 405 with Allow.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Context, Hono } from 'hono';
import { type Caller, requireScope, unauthorized } from './access.ts';
import type { Door } from './door.ts';
import { sessionSecret } from './guard.ts';
import { isChange, openApiDocument } from './openapi.ts';
import type { Asked, Operation } from './operation.ts';
import { OPERATIONS } from './operations/operations.ts';
import type { AdminPorts } from './ports.ts';
import { ProblemError } from './problem.ts';
import { SECURITY_HEADERS } from './security-headers.ts';
import type { Site } from './site.ts';
import type { StaticFiles } from './static-files.ts';

const MAX_WAITING_CHANGES = 32;
/** A kind, a namespace and a host, each as long as it can be. */
const MAX_TARGET_CHARS = 600;

export interface Bindings {
  readonly caller: Caller | undefined;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

export interface AppParts {
  readonly files: StaticFiles;
  readonly site: Site;
  readonly door: Door;
}

type Env = { Bindings: Bindings };

export function adminApp(ports: AdminPorts, { files, door, site }: AppParts): Hono<Env> {
  const app = new Hono<Env>();
  app.use(async (context, next) => {
    await next();
    withHeaders(context.res, ports.version);
  });
  app.onError((error) => errorResponse(error, ports));
  app.notFound(nothingHere);

  const document = JSON.stringify(openApiDocument(ports.version));
  // It says what can be asked and nothing about this Serin, so nobody has to say who they are.
  app.get('/openapi.json', (context) => context.body(document, 200, { 'content-type': 'application/json' }));
  refuseOthers(app, '/openapi.json', 'GET, HEAD');
  for (const path of ['/', '/assets/:file']) {
    app.get(path, ({ req }) => {
      const file = files.get(new URL(req.url).pathname);
      return file === undefined ? nothingHere() : new Response(file.bytes, { headers: file.headers });
    });
    refuseOthers(app, path, 'GET, HEAD');
  }
  const changes = new Changes();
  for (const [path, operations] of routesOf(OPERATIONS)) {
    for (const operation of operations) {
      const run = (context: Context<Env>): Promise<Response> => {
        // By the operation and not by the path of the request, which can be spelt in several ways.
        const scope = operation.scope ?? (operation.isForOwnMachine === true && site.isExposed ? 'read' : undefined);
        if (scope !== undefined) requireScope(callerOf(context), scope);
        const { incoming, outgoing } = context.env;
        const address = incoming.socket.remoteAddress ?? '';
        const asked = {
          request: context.req.raw,
          params: context.req.param(),
          caller: () => callerOf(context),
          address,
          site,
          door,
          session: sessionSecret({ header: (name) => context.req.header(name) }, site),
          incoming,
          outgoing,
        };
        return isChange(operation) ? changes.run(() => audited(operation, ports, asked)) : operation.run(ports, asked);
      };
      app.on(operation.method, path, run);
    }
    const allow = operations.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
    refuseOthers(app, path, allow);
  }
  return app;
}

function nothingHere(): never {
  throw new ProblemError(404, 'E_ADMIN_PATH', 'there is nothing at this path');
}

/** Methods that no route before has taken. */
function refuseOthers(app: Hono<Env>, path: string, allow: string): void {
  app.all(path, ({ req }) => {
    throw new ProblemError(405, 'E_ADMIN_METHOD', `${req.method} is not allowed here, only ${allow}`, { headers: { allow } });
  });
}

/** A change that is made is recorded with what it changes; one that is refused to somebody who may make such changes is recorded here. */
async function audited(operation: Operation, ports: AdminPorts, asked: Asked): Promise<Response> {
  try {
    return await operation.run(ports, asked);
  } catch (error) {
    if (error instanceof ProblemError && operation.scope !== undefined) {
      const by = { name: asked.caller().name, from: asked.address };
      ports.refused(by, operation.id, targetOf(operation, asked), error.code);
    }
    throw error;
  }
}

function targetOf({ params }: Operation, asked: Asked): string {
  return Object.keys(params)
    .map((name) => asked.params[name] ?? '')
    .join('/')
    .slice(0, MAX_TARGET_CHARS);
}

/** By path, in the router's notation. Fixed segments come before parameters, which would take their requests: the first that matches answers. */
function routesOf(operations: readonly Operation[]): readonly (readonly [path: string, operations: readonly Operation[]])[] {
  const byPath = Map.groupBy(operations, ({ path }) => path.replaceAll(/\{(\w+)\}/g, ':$1'));
  return [...byPath].sort(([one], [other]) => (one.replaceAll(':', '~') < other.replaceAll(':', '~') ? -1 : 1));
}

/** @throws ProblemError 401 where the guard has let a path pass that is under /api/ after all */
function callerOf(context: Context<Env>): Caller {
  const { caller } = context.env;
  if (caller === undefined) throw unauthorized();
  return caller;
}

/** How many changes may wait for the disk and the data plane at once. */
class Changes {
  #waiting = 0;

  /** @throws ProblemError 429 */
  async run<T>(perform: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING_CHANGES) {
      throw new ProblemError(429, 'E_ADMIN_BUSY', `${MAX_WAITING_CHANGES} changes are waiting already`, {
        headers: { 'retry-after': '1' },
      });
    }
    this.#waiting++;
    try {
      return await perform();
    } finally {
      this.#waiting--;
    }
  }
}

export function errorResponse(error: unknown, ports: AdminPorts): Response {
  if (error instanceof ProblemError) return withHeaders(error.toResponse(), ports.version);
  ports.onError(error);
  return withHeaders(new ProblemError(500, 'E_INTERNAL', 'see the log of serin up').toResponse(), ports.version);
}

function withHeaders(response: Response, version: string): Response {
  for (const [field, value] of Object.entries(SECURITY_HEADERS)) if (!response.headers.has(field)) response.headers.set(field, value);
  response.headers.set('serin-version', version);
  return response;
}
