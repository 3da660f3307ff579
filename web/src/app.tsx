/** The frame around every page: where one is, whether what is shown is live, who one is. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { configuration, connect, connection, disconnect, rollouts, totals } from './data/events.ts';
import { count, rate } from './data/format.ts';
import { href, route } from './data/router.ts';
import { session, signOut } from './data/session.ts';
import { nextTheme, theme } from './data/theme.ts';
import { Activity } from './pages/activity.tsx';
import { Configuration } from './pages/configuration.tsx';
import { Explain } from './pages/explain.tsx';
import { Release } from './pages/release.tsx';
import { Releases } from './pages/releases.tsx';
import { Service } from './pages/service.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { Traffic } from './pages/traffic.tsx';
import { ConnectionBanner } from './parts/connection-banner.tsx';
import { ConfirmHost } from './parts/confirm.tsx';
import { Canary } from './parts/icons.tsx';

const PAGES = [
  { path: '', title: 'Traffic', key: 't' },
  { path: 'releases', title: 'Releases', key: 'r' },
  { path: 'explain', title: 'Explain', key: 'e' },
  { path: 'configuration', title: 'Configuration', key: 'c' },
  { path: 'activity', title: 'Activity', key: 'a' },
] as const;

export function App(): JSX.Element {
  const who = session.value;
  if (who === undefined) return <div class="boot" />;
  return who === null ? <SignIn /> : <Frame />;
}

function Frame(): JSX.Element {
  useEffect(() => {
    connect();
    addEventListener('keydown', shortcut);
    return () => {
      disconnect();
      removeEventListener('keydown', shortcut);
    };
  }, []);
  const [first = ''] = route.value;
  const place = first === 'services' ? '' : first;
  return (
    <>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <header class="top">
        <a class="brand" href={href()}>
          <Canary />
          <span>Serin</span>
        </a>
        <nav aria-label="Pages">
          {PAGES.map(({ path, title, key }) => (
            <a
              key={path}
              href={path === '' ? href() : href(path)}
              aria-current={path === place ? 'page' : undefined}
              aria-keyshortcuts={`g ${key}`}
            >
              {title}
              {path === 'releases' && <UnderWay />}
              {path === 'configuration' && <Problems />}
            </a>
          ))}
        </nav>
        <div class="status">
          <Pulse />
          <button type="button" class="quiet" onClick={nextTheme} title="Colours: as the system, light or dark">
            {theme.value === 'system' ? 'Auto' : theme.value === 'light' ? 'Light' : 'Dark'}
            <span class="visually-hidden"> colours; change</span>
          </button>
          <Account />
        </div>
      </header>
      <ConnectionBanner />
      <main id="main" tabIndex={-1}>
        <Page />
      </main>
      <ConfirmHost />
    </>
  );
}

function Page(): ComponentChildren {
  const [first, second, third] = route.value;
  useEffect(() => {
    const title = PAGES.find(({ path }) => path === (first ?? ''))?.title ?? third ?? second ?? 'Serin';
    document.title = `${title} · Serin`;
  }, [first, second, third]);
  switch (first) {
    case undefined:
      return <Traffic />;
    case 'services':
      return <Service host={second ?? ''} key={second} />;
    case 'releases':
      return second === undefined || third === undefined ? (
        <Releases />
      ) : (
        <Release namespace={second} name={third} key={`${second}/${third}`} />
      );
    case 'explain':
      return <Explain />;
    case 'configuration':
      return <Configuration selected={route.value.slice(1)} />;
    case 'activity':
      return <Activity />;
    default:
      return (
        <section class="empty">
          <h1>There is no such page</h1>
          <a href={href()}>To the traffic</a>
        </section>
      );
  }
}

function UnderWay(): JSX.Element | null {
  const active = [...(rollouts.value?.values() ?? [])].filter(({ status }) => status.currentStepIndex !== undefined).length;
  return active === 0 ? null : (
    <span class="count" title={`${active} under way`}>
      {active}
    </span>
  );
}

function Problems(): JSX.Element | null {
  const { reload, errors = 0 } = configuration.value ?? {};
  return reload?.successful !== false && errors === 0 ? null : (
    <span class="count bad" title="the last change of the files was refused">
      !
    </span>
  );
}

function Pulse(): JSX.Element {
  const now = totals.value;
  const { state } = connection.value;
  return (
    <span class={`pulse ${state}`}>
      <i aria-hidden="true" />
      {state === 'live' && now !== undefined ? rate(now.requestsPerSecond) : state === 'lost' ? 'not live' : 'connecting'}
      {now !== undefined && state === 'live' && <span class="visually-hidden">, {count(now.activeRequests)} in flight, live</span>}
    </span>
  );
}

function Account(): JSX.Element {
  const who = session.value;
  return (
    <span class="account">
      <span title={`may ${who?.scope ?? 'read'}`}>{who?.name}</span>
      {who?.expiresAt !== undefined && (
        <button type="button" class="quiet" onClick={() => void signOut()}>
          Sign out
        </button>
      )}
      {who?.expiresAt === undefined && (
        <button type="button" class="quiet" onClick={() => (session.value = null)}>
          Sign in
        </button>
      )}
    </span>
  );
}

function skipToMain(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

let waitsForPage = false;

/** `g` and a letter goes to a page, `/` to the filter. */
function shortcut(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof HTMLElement && event.target.closest('input, textarea, select, dialog') !== null) return;
  const page = waitsForPage ? PAGES.find(({ key }) => key === event.key) : undefined;
  waitsForPage = event.key === 'g';
  if (page !== undefined) location.hash = page.path === '' ? '#/' : href(page.path);
  else if (event.key === '/') {
    const filter = document.querySelector<HTMLInputElement>('input[type=search]');
    if (filter === null) return;
    event.preventDefault();
    filter.focus();
  }
}
