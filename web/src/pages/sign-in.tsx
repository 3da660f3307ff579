import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { signIn, signInProblem } from '../data/session.ts';
import { Canary } from '../parts/icons.tsx';

export function SignIn(): JSX.Element {
  const [token, setToken] = useState('');
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    await signIn({ token: token.trim() });
    setBusy(false);
  };
  return (
    <main class="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <Canary />
        <h1>Serin</h1>
        <p>
          <code>serin open</code> in a terminal of this machine opens this page signed in.
        </p>
        <label>
          Or paste a token
          <input
            type="password"
            name="token"
            autocomplete="off"
            spellcheck={false}
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
            required
          />
        </label>
        <p class="hint">
          <code>serin token create NAME --scope read</code> makes one. It stays in this browser as a cookie that scripts cannot read, for 12
          hours at most.
        </p>
        <p role="alert" class="problem">
          {signInProblem.value}
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          Sign in
        </button>
      </form>
    </main>
  );
}
