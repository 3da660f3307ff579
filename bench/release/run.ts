/**
 * `npm run bench:release`: how long a canary that fails every request goes on getting some, through the real proxy.
 *
 *     node bench/release/run.ts [--releases 8]
 *
 * Canary at 1 %, 100 requests a second to each service, first with nothing else to do, then while the control plane reads ten thousand services
 * again and again. The proof is complete with the third failed request at the latest; where two were enough it is so with the second, or a little later, when
 * enough of stable's have gone well. Counted is the time from the last failed answer until the weight is at 0, as the decision has it, and whether the canary
 * got anything after the third. Exits with 1 when it was not cut off within a second of that.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Daemon, type Release } from './daemon.ts';
import { askAtRandom, askOnce, endTraffic } from './traffic.ts';

const RATE_PER_S = 100;
/** Failed requests that are a proof at 1 % beside a stable version that does not fail; sometimes two are. */
const PROOF_FAILURES = 3;
const ALLOWED_MS = 1000;
/** Without a request to the canary for so long nothing comes any more: at 1 a second, chance e^-5. */
const SETTLE_MS = 5000;
const LONGEST_MS = 60_000;
const BUSY_SERVICES = 10_000;

const { values: flags } = parseArgs({ options: { releases: { type: 'string', default: '8' } } });
const names = Array.from({ length: Number(flags.releases) }, (_, index) => `app${index}`);

interface Seen {
  /** When the canary had answered the request that completes the proof, and when it got its last one; ms since the epoch. */
  provedAt: number;
  lastAt: number;
  failed: number;
}

const seen = new Map<string, Seen>();

function seenOf(host: string): Seen {
  const known = seen.get(host) ?? { provedAt: 0, lastAt: 0, failed: 0 };
  seen.set(host, known);
  return known;
}

const now = (): number => performance.timeOrigin + performance.now();

const stable = createServer((_request, response) => response.end('v1'));
const canary = createServer((request, response) => {
  const own = seenOf(request.headers.host ?? '');
  own.lastAt = now();
  response.writeHead(500).end('v2', () => {
    if (++own.failed <= PROOF_FAILURES) own.provedAt = now();
  });
});

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

const [v1, v2] = [await portOf(stable), await portOf(canary)];
const steps = '[{ setWeight: 0 }, { pause: { duration: 3s } }, { setWeight: 1 }, { pause: {} }, { setWeight: 100 }]';
const releasesYaml = `services:\n${names
  .map(
    (name) =>
      `  ${name}: { versions: { v1: http://127.0.0.1:${v1}, v2: http://127.0.0.1:${v2} }, routes: [{ to: v1 }], rollout: { stable: v1, canary: v2, steps: ${steps} } }`,
  )
  .join('\n')}\n`;
const busyYaml = `services:\n${Array.from(
  { length: BUSY_SERVICES },
  (_, index) => `  other${index}: { versions: { v1: http://127.0.0.1:${v1} }, routes: [{ to: v1 }] }`,
).join('\n')}\n`;

interface Result {
  /** From the completing answer, ms. */
  readonly cutAfterMs: readonly number[];
  readonly lastAfterMs: readonly number[];
  readonly failed: readonly number[];
  readonly byDataPlane: number;
  readonly longestStallMs: number;
}

async function measure(isBusy: boolean): Promise<Result> {
  seen.clear();
  const daemon = await Daemon.start(releasesYaml);
  const ends = names.map((name) =>
    askAtRandom(
      () => RATE_PER_S,
      () => void askOnce(daemon.meshPort, { host: name }),
    ),
  );
  const stop = new AbortController();
  if (!isBusy) stop.abort();
  let longestStallMs = 0;
  const stalls = (async (): Promise<void> => {
    for (let version = 0; !stop.signal.aborted; version++) {
      daemon.write('others.yaml', `${busyYaml}# ${version}\n`);
      const askedAt = performance.now();
      // A server that was held up for long has closed its idle connections.
      await daemon.releases().catch(() => []);
      longestStallMs = Math.max(longestStallMs, performance.now() - askedAt);
      await sleep(200);
    }
  })();
  const beganAt = now();
  let releases: readonly Release[] = [];
  const isQuiet = (name: string): boolean => seenOf(name).failed > 0 && now() - seenOf(name).lastAt >= SETTLE_MS;
  while (now() - beganAt < LONGEST_MS) {
    await sleep(500);
    if (!names.every(isQuiet)) continue;
    releases = (await daemon.releases().catch(() => [])).filter(({ status }) => status.phase === 'Degraded');
    if (releases.length === names.length) break;
  }
  stop.abort();
  for (const end of ends) end();
  await stalls;
  await daemon.stop();
  const decided = releases.map(({ metadata, status }) => ({ own: seenOf(metadata.name), last: status.decisions.at(-1) }));
  return {
    cutAfterMs: decided.map(({ own, last }) => Date.parse(last?.evidence?.dataPlane?.at ?? last?.at ?? '') - own.provedAt),
    lastAfterMs: names.map((name) => seenOf(name).lastAt - seenOf(name).provedAt),
    failed: (releases.length === names.length ? decided.map(({ own }) => own) : names.map(seenOf)).map(({ failed }) => failed),
    byDataPlane: decided.filter(({ last }) => last?.evidence?.dataPlane !== undefined).length,
    longestStallMs,
  };
}

let isGood = true;
for (const isBusy of [false, true]) {
  const { cutAfterMs, lastAfterMs, failed, byDataPlane, longestStallMs } = await measure(isBusy);
  const late = lastAfterMs.filter((ms) => ms > 0);
  const hadThird = cutAfterMs.filter((_, index) => (failed[index] ?? 0) >= PROOF_FAILURES);
  isGood &&= cutAfterMs.length === names.length && [...hadThird, ...lastAfterMs].every((ms) => ms < ALLOWED_MS);
  const what = isBusy
    ? `control plane reading ${BUSY_SERVICES} services again and again (longest wait for its API ${Math.round(longestStallMs)} ms)`
    : 'control plane idle';
  process.stdout.write(
    [
      what,
      `  taken back ${cutAfterMs.length} of ${names.length}, by the data plane before the control plane ${byDataPlane}`,
      `  failed requests: median ${median(failed)}, most ${Math.max(...failed)}`,
      `  from the last failed answer to weight 0: median ${Math.round(median(cutAfterMs))} ms; after a third failure (${hadThird.length} releases): longest ${Math.round(Math.max(0, ...hadThird))} ms`,
      `  requests to the canary after the third failure: ${late.length === 0 ? 'none' : `in ${late.length} releases, the last after ${Math.round(Math.max(...late))} ms`}`,
      '',
    ].join('\n'),
  );
}
process.stdout.write(`${isGood ? 'holds' : 'does NOT hold'}: below ${ALLOWED_MS} ms\n`);
endTraffic();
stable.close();
canary.close();
process.exit(isGood ? 0 : 1);

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
