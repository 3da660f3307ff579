import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { connect, connection } from '../data/events.ts';
import { time } from '../data/format.ts';

/** What is shown stays useful, but is said to be old. */
export function ConnectionBanner(): JSX.Element {
  const now = connection.value;
  const [, tick] = useState(0);
  useEffect(() => {
    if (now.state !== 'lost') return;
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, [now.state]);
  return (
    <div role="status" class={now.state === 'lost' ? 'banner bad' : ''}>
      {now.state === 'lost' && (
        <>
          The connection to Serin is lost. This is how it was at {time(now.sinceMs)}; trying again
          {now.retryAtMs > Date.now() ? ` in ${Math.ceil((now.retryAtMs - Date.now()) / 1000)} s` : ' now'}.{' '}
          <button type="button" class="quiet" onClick={connect}>
            Try now
          </button>
        </>
      )}
    </div>
  );
}
