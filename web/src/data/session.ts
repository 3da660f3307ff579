/** Who is signed in. */
import { signal } from '@preact/signals';
import type { Session } from '../../../src/admin/session-types.ts';
import { ApiError, get, post, remove } from './api.ts';

/** Undefined: not known yet; null: nobody. */
export const session = signal<Session | null | undefined>(undefined);

/** Why there is nobody, where something went wrong. */
export const signInProblem = signal('');

/** What `serin open` puts into the address works once. */
const CODE = /^#code=(?<code>[\w-]+)$/;

addEventListener('hashchange', () => {
  if (CODE.test(location.hash)) void resume();
});

/** Takes the code in the address, if there is one, else the cookie. */
export async function resume(): Promise<void> {
  const code = CODE.exec(location.hash)?.groups?.['code'];
  if (code !== undefined) {
    history.replaceState(null, '', '#/');
    await signIn({ code });
    return;
  }
  try {
    session.value = await get<Session>('/api/v1/session');
  } catch (error) {
    session.value = null;
    if (!(error instanceof ApiError)) signInProblem.value = 'Serin does not answer. Is it running? Reload this page to try again.';
  }
}

export async function signIn(with_: { readonly token: string } | { readonly code: string }): Promise<boolean> {
  try {
    session.value = await post<Session>('/api/v1/session', with_);
    signInProblem.value = '';
    return true;
  } catch (error) {
    const status = error instanceof ApiError ? error.problem.status : 0;
    if (status === 401) {
      signInProblem.value =
        'code' in with_ ? 'The sign-in link has been used or is too old: run serin open again.' : 'This token is not valid.';
    } else
      signInProblem.value = status === 429 ? 'Too many tries; wait a few seconds.' : error instanceof Error ? error.message : String(error);
    session.value = null;
    return false;
  }
}

export async function signOut(): Promise<void> {
  await remove('/api/v1/session').catch(() => undefined);
  signedOut();
}

/** The session has ended. */
export function signedOut(): void {
  session.value = null;
}

export function mayOperate(): boolean {
  return session.value?.scope === 'operate' || session.value?.scope === 'admin';
}
