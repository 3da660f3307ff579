/**
 * `npm run bench:soak`: good releases, many at once, through the real proxy under bursty load: how many are stopped all the same.
 *
 *     node bench/release/soak.ts [--releases 50] [--rounds 4] [--workers 2]
 *
 * Both versions are the same program. Each service has its own traffic (a Poisson process of 12 requests a second with bursts of five times that), its own
 * outages (half of all requests fail, and are slow, for a few seconds: whichever version they went to) and its own slow spells. Every third release is
 * by user: a few of its users ask most of the time, some fail every fifth request. A round takes about 80 seconds: 5 %, 20 %, 50 %, each
 * for a time, so that nothing but the guards decides; they run all the time, with their defaults but for a warm-up of 5 seconds.
 *
 * Exits with 1 when more than 1 % of the releases were stopped (taken back, or held because of their share), or when the evidence against a share has
 * ever reached 1,000.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Daemon, type Release } from './daemon.ts';
import { askAtRandom, askOnce, endTraffic } from './traffic.ts';

const RATE_PER_S = 12;
const BURST = 5;
/** Of each service; how much one asks is Pareto with exponent 1.2, at most 300 times as much as the idlest. */
const USERS = 1000;
const EXPONENT = 1.2;
const BUSIEST = 300;
const ALLOWED_STOPPED = 0.01;
const ALLOWED_SHARE_EVIDENCE = 1000;
const STEPS =
  '[{ setWeight: 0 }, { pause: { duration: 5s } }, { setWeight: 5 }, { pause: { duration: 15s } }, { setWeight: 20 }, { pause: { duration: 20s } }, { setWeight: 50 }, { pause: { duration: 40s } }, { setWeight: 100 }]';
/** A machine with other things to do serves the steps more slowly. */
const LONGEST_ROUND_MS = 180_000;
const LOOK_MS = 1000;

const { values: flags } = parseArgs({
  options: {
    releases: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '4' },
    workers: { type: 'string', default: '2' },
  },
});
const count = Number(flags.releases);
const rounds = Number(flags.rounds);

/** Something that is on for a few seconds now and then. */
class Spell {
  readonly #everyMs: number;
  readonly #lastsMs: number;
  #from: number;
  #until: number;

  constructor(everyMs: number, lastsMs: number) {
    this.#everyMs = everyMs;
    this.#lastsMs = lastsMs;
    this.#from = performance.now() + everyMs * Math.random();
    this.#until = this.#from + lastsMs;
  }

  get isOn(): boolean {
    const now = performance.now();
    if (now > this.#until) {
      this.#from = now + this.#everyMs * (0.5 + Math.random());
      this.#until = this.#from + this.#lastsMs * (0.5 + Math.random());
    }
    return now >= this.#from;
  }
}

interface Service {
  readonly outage: Spell;
  readonly slow: Spell;
  readonly burst: Spell;
  readonly activities: readonly number[];
}

const services = new Map<string, Service>();

/** Both versions: what they answer depends on the service and the user, never on the version. */
function answering(): ReturnType<typeof createServer> {
  return createServer((request, response) => {
    const service = services.get(request.headers.host ?? '');
    const user = Number(request.headers['end-user'] ?? Number.NaN);
    const isOut = service?.outage.isOn === true;
    const failing = isOut ? 0.5 : user % 50 === 0 ? 0.2 : 0.01;
    const usualMs = 2 * Math.exp(Math.random() + Math.random() - 1);
    const waitMs = isOut || service?.slow.isOn === true ? 5 * usualMs : usualMs;
    setTimeout(() => response.writeHead(Math.random() < failing ? 503 : 200).end('ok'), waitMs);
  });
}

/** Cumulative activity of the users. */
function activities(): readonly number[] {
  let sum = 0;
  return Array.from({ length: USERS }, () => (sum += Math.min(BUSIEST, (1 - Math.random()) ** (-1 / EXPONENT))));
}

function someUser(cumulative: readonly number[]): string {
  const ticket = Math.random() * (cumulative.at(-1) ?? 0);
  return String(cumulative.findIndex((sum) => ticket < sum));
}

async function portOf(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

const isByUser = (index: number): boolean => index % 3 === 0;
const versions = [answering(), answering()];
const [v1, v2] = await Promise.all(versions.map(portOf));

/** New names every round, and so new draws of who is on which side. */
function yamlOf(names: readonly string[]): string {
  const lines = names.map((name, index) => {
    const assignment = isByUser(index) ? 'assignment: { by: user, header: end-user }, ' : '';
    const rollout = `{ stable: v1, canary: v2, ${assignment}analysis: { warmup: 5s }, steps: ${STEPS} }`;
    return `  ${name}: { versions: { v1: http://127.0.0.1:${v1}, v2: http://127.0.0.1:${v2} }, routes: [{ to: v1 }], rollout: ${rollout} }`;
  });
  return `services:\n${lines.join('\n')}\n`;
}

interface Round {
  readonly promoted: number;
  readonly stopped: readonly string[];
  /** Largest e-values of any release at any look. */
  readonly share: number;
  readonly rollback: number;
  readonly requests: number;
}

async function round(number: number): Promise<Round> {
  const names = Array.from({ length: count }, (_, index) => `app${index}-${number}`);
  for (const name of names) {
    const spells = { outage: new Spell(25_000, 4000), slow: new Spell(20_000, 5000), burst: new Spell(12_000, 3000) };
    services.set(name, { ...spells, activities: activities() });
  }
  const daemon = await Daemon.start(yamlOf(names), ['--workers', flags.workers]);
  let requests = 0;
  const ends = names.map((name, index) => {
    const service = services.get(name);
    const users = service?.activities ?? [];
    const ask = (): void => {
      requests++;
      void askOnce(daemon.meshPort, { host: name, ...(isByUser(index) ? { 'end-user': someUser(users) } : {}) });
    };
    return askAtRandom(() => (service?.burst.isOn === true ? BURST * RATE_PER_S : RATE_PER_S), ask);
  });
  const beganAt = performance.now();
  let share = 0;
  let rollback = 0;
  let releases: readonly Release[] = [];
  while (performance.now() - beganAt < LONGEST_ROUND_MS) {
    await sleep(LOOK_MS);
    releases = await daemon.releases();
    for (const { status } of releases) {
      share = Math.max(share, status.analysis?.shareEvidence ?? 0);
      rollback = Math.max(rollback, status.analysis?.evidence ?? 0);
    }
    if (releases.every(({ status }) => status.phase === 'Healthy' || isStopped(status))) break;
  }
  for (const end of ends) end();
  await daemon.stop();
  const stopped = releases.filter(({ status }) => isStopped(status));
  return {
    promoted: releases.filter(({ status }) => status.phase === 'Healthy').length,
    stopped: stopped.map(({ metadata, status }) => `${metadata.name}: ${status.decisions.at(-1)?.reason ?? status.message}`),
    share,
    rollback,
    requests,
  };
}

/** Taken back, or held: nobody but the engine pauses anything here. */
function isStopped({ phase, decisions }: Release['status']): boolean {
  return phase === 'Degraded' || decisions.at(-1)?.action === 'pause';
}

const done: Round[] = [];
for (let number = 1; number <= rounds; number++) {
  const result = await round(number);
  done.push(result);
  const { promoted, stopped, share, rollback, requests } = result;
  process.stdout.write(
    `round ${number}: ${requests} requests, promoted ${promoted}, stopped ${stopped.length}, largest e-value of a share ${share.toFixed(1)}, of harm ${rollback.toFixed(1)}\n`,
  );
  for (const why of stopped) process.stdout.write(`  ${why}\n`);
}
endTraffic();
for (const version of versions) version.close();

const releases = count * rounds;
const stopped = done.reduce((sum, each) => sum + each.stopped.length, 0);
const promoted = done.reduce((sum, each) => sum + each.promoted, 0);
const share = Math.max(...done.map((each) => each.share));
const isGood = stopped <= ALLOWED_STOPPED * releases && share < ALLOWED_SHARE_EVIDENCE && promoted + stopped === releases;
process.stdout.write(
  [
    `${releases} good releases: promoted ${promoted}, stopped ${stopped} (allowed: ${ALLOWED_STOPPED * 100} %)`,
    `largest e-value of a share ${share.toFixed(1)} (allowed: below ${ALLOWED_SHARE_EVIDENCE})`,
    isGood ? 'holds' : 'does NOT hold',
    '',
  ].join('\n'),
);
process.exit(isGood ? 0 : 1);
