/** Sessions of browsers. */
import { sessionOf } from '../door.ts';
import { SESSION_PATH } from '../guard.ts';
import { type Operation, operation } from '../operation.ts';
import { ProblemError } from '../problem.ts';
import { LoginCode, Session, SessionRequest } from '../session-types.ts';

export const SESSION: readonly Operation[] = [
  operation({
    id: 'openSession',
    method: 'POST',
    path: SESSION_PATH,
    summary: 'Sign in with a token or a code: the answer sets a cookie',
    description:
      'The cookie is HttpOnly and SameSite=Strict, and good for 12 hours at most. A request with it that changes something needs the header X-Serin-Csrf: 1 as well.',
    scope: undefined,
    body: SessionRequest,
    problems: ['E_ADMIN_UNAUTHORIZED', 'E_ADMIN_TOO_MANY_FAILURES', 'E_STATE_WRITE', 'E_SHUTTING_DOWN'],
    success: { status: 201, description: 'Whose session it is', schema: Session },
    handle: (_ports, { body, asked: { door, address, session } }) => {
      const { session: opened, cookie } = door.enter(body, address, session);
      return Response.json(opened, { status: 201, headers: { 'set-cookie': cookie } });
    },
  }),
  operation({
    id: 'getSession',
    method: 'GET',
    path: SESSION_PATH,
    summary: 'Who asks, and what they may do',
    scope: 'read',
    problems: [],
    success: { description: 'The session, or what the token says', schema: Session },
    handle: (_ports, { caller }) => sessionOf(caller),
  }),
  operation({
    id: 'closeSession',
    method: 'DELETE',
    path: SESSION_PATH,
    summary: 'Sign out: the session ends at once',
    scope: 'read',
    problems: ['E_NOT_FOUND', 'E_STATE_WRITE', 'E_SHUTTING_DOWN'],
    success: { status: 204, description: 'It has ended' },
    handle: ({ events }, { caller, asked: { door, address, session } }) => {
      if (caller.openedWith === undefined || session === undefined)
        throw new ProblemError(404, 'E_NOT_FOUND', 'there is no session to end: the request does not come with one');
      const cookie = door.leave(caller, address, session);
      events.recheck();
      return new Response(null, { status: 204, headers: { 'set-cookie': cookie } });
    },
  }),
  operation({
    id: 'createLoginCode',
    method: 'POST',
    path: `${SESSION_PATH}/codes`,
    summary: 'Make a code that opens one session with the scope of the token it was made with',
    description: 'A browser gets it as the fragment of an address, /#code=CODE, which is sent to no server.',
    scope: 'read',
    problems: ['E_STATE_WRITE', 'E_SHUTTING_DOWN'],
    success: { status: 201, description: 'The only answer that has it', schema: LoginCode },
    handle: (_ports, { caller, asked: { door, address } }) => door.code(caller, address),
  }),
];
