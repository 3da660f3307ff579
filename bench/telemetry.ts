/** What it costs to record one request (asked: below 30 ns), and to fill the histograms of `/metrics` besides. `node bench/telemetry.ts` */
import { seededRandom } from '../src/base/random.ts';
import { StatsRegistry, StatsWriter } from '../src/telemetry/shared-stats.ts';

const REQUESTS = 10_000_000;

const registry = new StatsRegistry(1);
const slots = ['v1', 'v2'].map((key) => registry.slot(key));
const writer = new StatsWriter(0, 1);
writer.attach(registry.segments());
const clusters = slots.map((slot) => writer.cluster(slot));
const random = seededRandom(1);
/** From 0.1 to 40 ms, as answers come. */
const durationsMs = Float64Array.from({ length: 4096 }, () => Math.exp(random() * 6) / 10);

/** Nanoseconds of processor time that `work` takes, in the best of several rounds. */
function best(work: (request: number) => void): string {
  const rounds = Array.from({ length: 5 }, () => {
    const before = process.threadCpuUsage();
    for (let i = 0; i < REQUESTS; i++) work(i);
    const { user, system } = process.threadCpuUsage(before);
    return ((user + system) * 1000) / REQUESTS;
  });
  return `${Math.min(...rounds).toFixed(1)} ns`;
}

const recorded = best((i) => {
  const cluster = clusters[i % 10 === 0 ? 1 : 0];
  cluster?.activeAdd(1);
  writer.worker.add('requestsTotal', 1);
  cluster?.record(i % 64 === 0 ? 503 : 200, durationsMs[i & 4095] ?? 0);
  cluster?.activeAdd(-1);
});
const measured = best((i) => clusters[i % 10 === 0 ? 1 : 0]?.measure(false, durationsMs[i & 4095] ?? 0, 0, i & 4095));
process.stdout.write(`one request recorded (start, end, outcome, latency): ${recorded}\n`);
process.stdout.write(`its duration and the sizes of its bodies in histograms: ${measured}\n`);
