/** docs/analysis.md: the findings as a page. Every number on it comes from the run; the words say what is measured. */
import { digits, percent, promotedPercent, stoppedPercent } from './bars.ts';
import type { Bar } from './bars.ts';
import { CATASTROPHES } from './catastrophe.ts';
import type { Findings } from './findings.ts';
import { METHOD_NAMES } from './replicate.ts';
import type { MethodName } from './replicate.ts';
import { rateName, RATES } from './rates.ts';
import { SCENARIOS } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';
import { mean, promotedShare, quantile, stoppedShare } from '../../src/simulate/tally.ts';
import type { Tally } from '../../src/simulate/tally.ts';

const RIVALS: readonly MethodName[] = METHOD_NAMES.filter((name) => name !== 'Serin auto');

export interface RunInfo {
  readonly replications: number;
  /** Fewer replications than the limits are made for. */
  readonly isShort: boolean;
  readonly seconds: number;
  readonly threads: number;
}

export function report(findings: Findings, results: readonly Bar[], info: RunInfo): string {
  return [
    introduction(info),
    '## Good releases: how many are stopped (%)',
    table(
      ['world', 'what differs', ...RIVALS],
      SCENARIOS.filter((each) => each.good).map((each) => goodRow(findings, each, stoppedPercent)),
    ),
    'A release that is as good as stable, or within the tolerance, and is stopped or paused all the same.',
    '## Good releases: median seconds to promotion (% promoted within the horizon)',
    table(
      ['world', 'what differs', ...RIVALS],
      SCENARIOS.filter((each) => each.good).map((each) => goodRow(findings, each, promotion)),
    ),
    `All but Serin and Kayenta promote by a timer, whatever they have seen. With weights chosen for the traffic, Serin promotes AA_low in ${lowMedian(findings)} s.`,
    '## Bad releases: % stopped / median seconds to the stop / mean harmed requests',
    table(
      ['world', 'what differs', ...RIVALS],
      SCENARIOS.filter((each) => !each.good).map((each) => badRow(findings, each)),
    ),
    HARM_NOTE,
    '## Where Serin loses',
    losses(findings),
    '## How fast a broken canary is found',
    'At 100 requests a second, one weight, no ramp: canary requests to the rollback, median / 99th percentile (seconds).',
    table(['weight', 'stable failing', 'all fail', 'half fail', 'a fifth fails'], catastropheRows(findings)),
    '## More or less traffic',
    'Weights chosen by Serin for the rate; stable fails 1 %. Within two hours, below one request a second within a day.',
    table(
      [
        'requests',
        'good: median / p90 s to promotion (% in time)',
        'ruled out then, points',
        '+2 points: % stopped, median s; % promoted; mean harmed requests',
      ],
      rateRows(findings),
    ),
    RATE_NOTE,
    '## What must hold',
    `Measured in this run; the command exits with 1 when one does not.${info.isShort ? SHORT_RUN : ''}`,
    table(
      ['bar', 'what', 'measured', 'limit', 'holds'],
      results.map(({ id, what, measured, limit, holds }) => [id, what, measured, limit, holds ? 'yes' : '**no**']),
    ),
    LIMITS,
  ]
    .join('\n\n')
    .concat('\n');
}

function introduction({ replications, isShort, seconds, threads }: RunInfo): string {
  const command = isShort ? `npm run bench:analysis -- --replications ${replications}` : 'npm run bench:analysis';
  return `# How Serin decides about a release, measured

Written by \`${command}\`: ${replications.toLocaleString('en')} replications of each world, base seed 20261122 (replication r of world i: \`20261122 + 1000003 i + 7919 r\`), ${threads === 1 ? 'one thread' : `${threads} threads`}, ${digits(seconds / 60)} minutes. The
same seeds give the same tables on any machine, but for the two timings under S11.

27 simulated worlds, ten with a release that ought to be promoted and seventeen with one that ought not. 100 requests a second for 30 minutes, latency lognormal with median 80 ms and p99 256 ms, unless the world says otherwise. All
methods see the same requests, latency being of those that did not fail; each chooses its own weight. The code is in \`bench/analysis\`: worlds in \`scenarios.ts\`, one file a method (Flagger and Argo in \`src/simulate\`), written from the semantics of their sources. Serin is the product's own code (\`src/rollout\`)
with its defaults: weights 1 % for 45 s of warm-up, then 5, 10, 25, 50 %.

- **Flagger docs**: the example of its documentation (60 s, 10 failures, steps of 5 % to 50 %, success >= 99 %, p99 <= 500 ms). **Flagger tuned**: 30 s, 3 failures, steps of 10 %, and thresholds set by somebody who knows stable's true failure rate and p99.
- **Argo docs**: 20, 40, 60, 80 %, 5 minutes each, success >= 95 %, p99 <= 500 ms, measured every minute, failureLimit 3. **Argo tuned**: 5, 10, 25, 50 %, 90 s each, measured every 30 s, failureLimit 2, the same oracle thresholds.
- **Kayenta**: 10 % canary against a separate 10 % baseline, points of 30 s, judged after 10, 20, 30 minutes, marginal 75, pass 95.
- **peeked z**: a two-proportion z-test at 1 % looked at every 10 s. **Netflix-like**: the published sequential tests at 1 %, on a timer ramp.`;
}

const SHORT_RUN =
  ' This run is a short one: the limits are those of 1,000 replications, and what chance can do to fewer of them is allowed for.';

const HARM_NOTE = `Harmed requests are those that would have gone well on stable: failures, or in latency worlds requests beyond stable's p99. After a wrong promotion everybody is harmed until the end of the half hour. In R_low and R_low_fail Flagger and
Argo stop every release, good or bad, for want of data; "stopped" there is no detection. R_zero and R_srm harm nobody.`;

const RATE_NOTE = `Where the traffic cannot rule out the budget of 0.5 points in 45 minutes (\`analysis.relax\`), a step goes on with 2, 4 or 10 times the budget ruled out, for which it may take that many times as long; the decision says
which. So at 100 or 200 requests an hour a release that fails 2 points more is promoted more often than it is stopped: 5 points are what a few hours can rule out there. A Rollout with \`relax: never\` waits for the proof instead:
about 12,000 requests, five days at 100 an hour.`;

const LIMITS = `## What this does not show

- The worlds are ours, not production. In them labels are drawn ideally; in production the guarantee is exactly as good as the proxy's draw and its counting (\`src/rollout/observation.ts\`).
- The tuned rivals know what nobody knows. All rivals see metrics without scrape delay.
- Netflix-like, peeked z and Kayenta's schedule are a reading of papers and code, not vendors' defaults; Netflix runs fixed allocations, and the ramp is what costs it AA_diurnal.
- Requests are randomised, pods are not: a canary on a noisy node is slower for a reason that is not its version. That is what the tolerances are for.
- By user, going on is calibrated (design effect 2), not proved; rolling back is proved.
- A canary that breaks a dependency both versions share harms both, and no comparison of the two can see it.`;

function goodRow(findings: Findings, scenario: Scenario, cell: (tally: Tally) => string): string[] {
  return [scenario.id, scenario.about, ...RIVALS.map((method) => emphasise(method, cellOf(findings, scenario, method, cell)))];
}

function badRow(findings: Findings, scenario: Scenario): string[] {
  const cell = (tally: Tally): string => {
    const harm = scenario.deliveredShare < 1 ? '' : ` / ${digits(mean(tally.harm))}`;
    return `${stoppedPercent(tally)} / ${digits(quantile(tally.stoppedAtS, 0.5))}${harm}`;
  };
  const automatic = scenario.low ? findings.scenario(scenario.id, 'Serin auto') : undefined;
  return [
    scenario.id,
    scenario.about,
    ...RIVALS.map((method) => {
      const shown = cellOf(findings, scenario, method, cell);
      const extra = method === 'Serin' && automatic !== undefined ? `; weights for the traffic: ${cell(automatic)}` : '';
      return `${emphasise(method, shown)}${extra}`;
    }),
  ];
}

function cellOf(findings: Findings, scenario: Scenario, method: MethodName, cell: (tally: Tally) => string): string {
  const tally = findings.scenario(scenario.id, method);
  return tally === undefined ? '-' : cell(tally);
}

function emphasise(method: MethodName, text: string): string {
  return method === 'Serin' ? `**${text}**` : text;
}

function promotion(tally: Tally): string {
  return `${digits(quantile(tally.promotedAtS, 0.5))} (${promotedPercent(tally)})`;
}

function lowMedian(findings: Findings): string {
  return digits(quantile(findings.scenario('AA_low', 'Serin auto')?.promotedAtS ?? [], 0.5));
}

/** Every rival that harmed less or stopped sooner, with what that costs: the good releases it stops. */
function losses(findings: Findings): string {
  const good = SCENARIOS.filter((each) => each.good && !each.low);
  const lines: string[] = [];
  for (const scenario of SCENARIOS) {
    if (scenario.good || scenario.low || scenario.deliveredShare < 1) continue;
    const harm = mean(findings.serin(scenario.id).harm);
    const better = RIVALS.filter((method) => method !== 'Serin' && mean(findings.scenario(scenario.id, method)?.harm ?? [Infinity]) < harm);
    if (better.length === 0) continue;
    const named = better.map((method) => `${method} ${digits(mean(findings.scenario(scenario.id, method)?.harm ?? []))}`);
    lines.push(`- ${scenario.id} (${scenario.about}): Serin harms ${digits(harm)} requests, ${named.join(', ')}.`);
  }
  const price = RIVALS.filter((method) => method !== 'Serin').map((method) => {
    const shares = good.map((each) => 100 * stoppedShare(findings.scenario(each.id, method) ?? findings.serin(each.id)));
    return `${method} ${digits(Math.min(...shares))} to ${digits(Math.max(...shares))} %`;
  });
  const undecided = ['AA_5', 'AA_sticky'].map((id) => {
    const tally = findings.serin(id);
    return `${percent(1 - promotedShare(tally) - stoppedShare(tally))} in ${id}`;
  });
  const quicker = quicknessNote(findings);
  return `Fewer harmed requests than with Serin:

${lines.join('\n')}

What that goes with: of good releases at normal traffic these methods stop, from the best world to the worst, ${price.join('; ')}. Serin's tolerance (0.1 points, 10 % latency), its warm-up and the promise of at most 1 % false rollbacks cost time on small
regressions: +0.5 points on 1 % is within the harm budget of every step but the last, so Serin goes on raising the weight while it gathers proof.

Slower to promote: ${quicker} Some good releases are still undecided after 30 minutes (${undecided.join(', ')}): half a point on 5 % takes about 25,000 canary requests to rule out, by arithmetic and not by tuning.`;
}

function quicknessNote(findings: Findings): string {
  const serin = quantile(findings.serin('AA_1').promotedAtS, 0.5);
  const faster = RIVALS.filter((method) => quantile(findings.scenario('AA_1', method)?.promotedAtS ?? [], 0.5) < serin);
  const named = faster.map((method) => `${method} in ${digits(quantile(findings.scenario('AA_1', method)?.promotedAtS ?? [], 0.5))} s`);
  return `Serin takes ${digits(serin)} s for AA_1 (405 s of it are minimum times)${named.length === 0 ? '.' : `; ${named.join(', ')}, by timer.`}`;
}

function catastropheRows(findings: Findings): string[][] {
  const rows = new Map<string, string[]>();
  for (const [i, { weight, base }] of CATASTROPHES.entries()) {
    const key = `${weight} ${base}`;
    const row = rows.get(key) ?? [percent(weight), percent(base)];
    const found = findings.values('catastrophe', i);
    const canary = found.map(([requests = Number.NaN]) => requests);
    const seconds = found.map(([, time = Number.NaN]) => time);
    row.push(
      `${quantile(canary, 0.5)} / ${quantile(canary, 0.99)} (${digits(quantile(seconds, 0.5))} / ${digits(quantile(seconds, 0.99))})`,
    );
    rows.set(key, row);
  }
  return [...rows.values()];
}

function rateRows(findings: Findings): string[][] {
  const ordered = [...RATES.entries()].toSorted(([, a], [, b]) => a - b);
  return ordered.map(([i, rate]) => {
    const good = findings.rate(i, true);
    const bad = findings.rate(i, false);
    return [
      rateName(rate),
      `${digits(quantile(good.promotedAtS, 0.5))} / ${digits(quantile(good.promotedAtS, 0.9))} (${promotedPercent(good)})`,
      ruledOutPoints(good),
      `${stoppedPercent(bad)}, ${digits(quantile(bad.stoppedAtS, 0.5))}; ${promotedPercent(bad)}; ${digits(mean(bad.harm))}`,
    ];
  });
}

/** From the most that was ruled out to the least. */
function ruledOutPoints({ ruledOut }: Tally): string {
  const points = [...new Set(ruledOut.map((rise) => digits(100 * rise)))].toSorted((a, b) => Number(a) - Number(b));
  return points.length < 2 ? (points[0] ?? '-') : `${points[0] ?? ''} to ${points.at(-1) ?? ''}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
