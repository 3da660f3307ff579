/** Many releases of every version in question: what becomes of them under Serin's plan, and under Flagger's and Argo's rules. */
import { type Interval, proportionInterval } from '../stats/proportion.ts';
import { DECIDERS, perform, type Task } from './perform.ts';
import { performAll } from './pool.ts';
import { isRegression, type Question, tickOf, type Version } from './question.ts';
import { mean, merge, newTally, promotedShare, quantile, stoppedShare, type Tally } from './tally.ts';

const WORKER_FILE = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
/** Long enough to be worth a message, short enough that threads end at about the same time. */
const RUNS_A_TASK = 10;
/** A tick costs as much as so many requests, apart from its own. */
const REQUESTS_A_TICK = 200;
/** Below this many requests a thread takes longer to start than to do its part. */
const REQUESTS_WORTH_A_THREAD = 5_000_000;

export interface Finding {
  readonly version: Version;
  /** Whether it is worse than stable, and so ought to be stopped. */
  readonly isRegression: boolean;
  readonly deciders: readonly DeciderFinding[];
}

/** Shares of the runs add up to 1. */
export interface DeciderFinding {
  readonly name: (typeof DECIDERS)[number];
  readonly promoted: number;
  readonly stopped: number;
  /** Back on stable because that is how the plan ends. */
  readonly ended: number;
  /** Waiting for somebody to decide when the simulated time was over: the shares were not right, or an analysis timed out. */
  readonly held: number;
  /** Still gathering evidence then. */
  readonly undecided: number;
  readonly secondsToPromotion: Middle;
  readonly secondsToStop: Middle;
  /** The smallest rise of the failing share that evidence had ruled out in every promotion; null where there was one without, or none at all. */
  readonly ruledOut: number | null;
  /** Requests that would have gone well on stable. */
  readonly harmed: { readonly mean: number; readonly p95: number };
  /** Runs that were stopped or held. */
  readonly alarms: number;
  /** Of the probability of an alarm: 95 % confidence. */
  readonly alarmInterval: Interval;
}

/** Null: it never came to that. */
export interface Middle {
  readonly median: number | null;
  readonly p90: number | null;
}

/** @param onProgress Share of the work that is done, 0 to 1. */
export async function simulate(question: Question, threads: number, onProgress: (done: number) => void): Promise<readonly Finding[]> {
  const { versions, runs, traffic, horizonS } = question;
  const tasks: Task[] = [];
  for (const version of versions.keys()) {
    for (let from = 0; from < runs; from += RUNS_A_TASK) tasks.push({ question, version, from, to: Math.min(runs, from + RUNS_A_TASK) });
  }
  const most = versions.length * runs * horizonS * (traffic.ratePerS + REQUESTS_A_TICK / tickOf(traffic));
  const used = most < REQUESTS_WORTH_A_THREAD ? 1 : Math.min(threads, tasks.length);
  const outcomes = await performAll({ perform, worker: WORKER_FILE, threads: used }, tasks, (done) => onProgress(done / tasks.length));
  const ordered = outcomes.toSorted((a, b) => a.from - b.from);
  return versions.map((version, index) => {
    const mine = ordered.filter((outcome) => outcome.version === index);
    return {
      version,
      isRegression: isRegression(version, traffic),
      deciders: DECIDERS.map((name, i) => {
        const tally = newTally();
        for (const { tallies } of mine) merge(tally, tallies[i] ?? newTally());
        return findingOf(name, tally);
      }),
    };
  });
}

function findingOf(name: DeciderFinding['name'], tally: Tally): DeciderFinding {
  const { replications, promotedAtS, stoppedAtS, ended, held, harm, ruledOut } = tally;
  const known = promotedAtS.length + stoppedAtS.length + ended + held;
  const alarms = stoppedAtS.length + held;
  return {
    name,
    promoted: promotedShare(tally),
    stopped: stoppedShare(tally),
    ended: ended / replications,
    held: held / replications,
    undecided: (replications - known) / replications,
    secondsToPromotion: middleOf(promotedAtS),
    secondsToStop: middleOf(stoppedAtS),
    ruledOut: largest(ruledOut),
    harmed: { mean: mean(harm), p95: quantile(harm, 0.95) },
    alarms,
    alarmInterval: proportionInterval(alarms, replications, 0.95),
  };
}

function largest(values: readonly number[]): number | null {
  const found = Math.max(...values);
  return Number.isFinite(found) ? found : null;
}

function middleOf(seconds: readonly number[]): Middle {
  if (seconds.length === 0) return { median: null, p90: null };
  return { median: quantile(seconds, 0.5), p90: quantile(seconds, 0.9) };
}
