/**
 * The stream of everything that changes, and what the page knows from it. When it breaks, what was known stays, `connection` says since when, and it is
 * tried again after 1, 2, 4, … 10 s. Serin sends something every second, so silence is a broken connection as well.
 */
import { batch, signal } from '@preact/signals';
import type { ConfigurationSummary, LiveListener, LiveService, LiveUpdate, RolloutGone } from '../../../src/admin/live-types.ts';
import { ApiError, get } from './api.ts';
import { History } from './history.ts';
import { signedOut } from './session.ts';
import type { Rollout } from './types.ts';

export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'lost'; readonly sinceMs: number; readonly retryAtMs: number };

interface Totals {
  readonly requestsPerSecond: number;
  readonly errorsPerSecond: number;
  readonly activeRequests: number;
  readonly windowSeconds: number;
}

export const connection = signal<Connection>({ state: 'connecting' });
/** By long name of the host. Replaced at every update; the services in it are replaced only where they changed. */
export const services = signal<ReadonlyMap<string, LiveService>>(new Map());
export const listeners = signal<readonly LiveListener[]>([]);
export const totals = signal<Totals | undefined>(undefined);
/** By `namespace/name`. Undefined until the first answer. */
export const rollouts = signal<ReadonlyMap<string, Rollout> | undefined>(undefined);
export const configuration = signal<ConfigurationSummary | undefined>(undefined);
/** Counts up with every entry of the audit log. */
export const auditNews = signal(0);
/** What was measured while the page was open. */
export const history = new History();

const SILENCE_MS = 5000;
const RETRY_MS = [1000, 2000, 4000, 7000, 10_000] as const;

let source: EventSource | undefined;
let silence: ReturnType<typeof setTimeout> | undefined;
let retry: ReturnType<typeof setTimeout> | undefined;
let failures = 0;
let lostAtMs: number | undefined;

export function connect(): void {
  disconnect();
  source = new EventSource('/api/v1/events?topics=live,rollouts,configuration,audit');
  source.addEventListener('open', heard);
  source.addEventListener('error', lost);
  on('live', takeLive);
  on('rollout', (rollout: Rollout) => {
    const { namespace, name } = rollout.metadata;
    const next = new Map(rollouts.value);
    next.set(`${namespace}/${name}`, rollout);
    rollouts.value = next;
  });
  on('rolloutGone', ({ namespace, name }: RolloutGone) => {
    const next = new Map(rollouts.value);
    next.delete(`${namespace}/${name}`);
    rollouts.value = next;
  });
  on('configuration', (summary: ConfigurationSummary) => {
    configuration.value = summary;
  });
  on('audit', () => {
    auditNews.value++;
  });
  on('resync', connect);
  awaitSound();
}

export function disconnect(): void {
  source?.close();
  source = undefined;
  clearTimeout(silence);
  clearTimeout(retry);
}

/** @param take Gets what the contract of the stream says for this event (src/admin/live-types.ts). */
function on(name: string, take: (data: never) => void): void {
  source?.addEventListener(name, (event: MessageEvent<string>) => {
    heard();
    take(JSON.parse(event.data) as never);
  });
}

function heard(): void {
  failures = 0;
  lostAtMs = undefined;
  if (connection.value.state !== 'live') connection.value = { state: 'live' };
  awaitSound();
}

function awaitSound(): void {
  clearTimeout(silence);
  silence = setTimeout(lost, SILENCE_MS);
}

/** An EventSource does not tell why; whether the session has ended is asked for. */
function lost(): void {
  disconnect();
  lostAtMs ??= Date.now();
  const waitMs = RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)] ?? 0;
  connection.value = { state: 'lost', sinceMs: lostAtMs, retryAtMs: Date.now() + waitMs };
  retry = setTimeout(() => void tryAgain(), waitMs);
}

async function tryAgain(): Promise<void> {
  try {
    await get('/api/v1/session');
  } catch (error) {
    if (error instanceof ApiError && error.problem.status === 401) return signedOut();
    return lost();
  }
  connect();
}

function takeLive(update: LiveUpdate): void {
  const next = update.full ? new Map<string, LiveService>() : new Map(services.value);
  for (const host of update.removed) next.delete(host);
  for (const service of update.services) next.set(service.host, service);
  const { requestsPerSecond, errorsPerSecond, activeRequests, windowSeconds } = update;
  history.add(Date.parse(update.at), next);
  batch(() => {
    services.value = next;
    totals.value = { requestsPerSecond, errorsPerSecond, activeRequests, windowSeconds };
    if (update.listeners !== undefined) listeners.value = update.listeners;
    rollouts.value ??= new Map();
  });
}
