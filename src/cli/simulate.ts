/**
 * `serin simulate -f PATH... [ROLLOUT]`: what would become of good and bad releases under a Rollout's plan in stated traffic, beside Flagger's and
 * Argo's rules on the same requests. Nothing runs; the same seed prints the same figures.
 *
 * Without a Rollout in the files it is the automatic ramp, as `serin rollout start` performs it. Exit 2: usage, 3: the files are invalid, 5: no such
 * Rollout.
 */
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { hasErrors } from '../base/diagnostic.ts';
import { nearest } from '../base/nearest.ts';
import type { Rollout } from '../config/resources.ts';
import type { RolloutSpec } from '../config/serin/rollout-spec.ts';
import { isRefusal } from '../rollout/verbs.ts';
import { printableJson } from '../app/printable.ts';
import { horizonOf, type Question, type Traffic, type Version, wholeTicks } from '../simulate/question.ts';
import { begin } from '../simulate/release.ts';
import { simulate } from '../simulate/simulate.ts';
import { type AddCommand, fileOption, namespaceOption, outputOption } from './command.ts';
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';
import * as argument from './simulate-arguments.ts';
import { findingsObject, formatFindings } from './simulate-format.ts';
import { formatDiagnostics, load, pathsOf } from './sources.ts';

interface Options {
  readonly file?: readonly string[];
  readonly namespace: string;
  readonly rate: number;
  readonly errors: number;
  readonly latency: argument.Latency;
  readonly regression?: readonly argument.Difference[];
  readonly within?: number;
  readonly runs?: number;
  readonly seed: number;
  readonly users?: number;
  readonly output?: 'json';
}

const DEFAULT_SEED = 20_261_122;
const DEFAULT_USERS = 3000;

export const simulateCommand: AddCommand = (program, io): Command =>
  program
    .command('simulate')
    .description('say how a release would go: time, harmed requests, false alarms; beside Flagger and Argo')
    .argument('[ROLLOUT...]', 'which, where the files have several; more paths may stand before it, after -f')
    .addOption(fileOption())
    .addOption(namespaceOption())
    .addOption(new Option('--rate <RATE>', 'requests to the host').argParser(argument.parseRate).default(100, '100/s'))
    .addOption(new Option('--errors <SHARE>', 'share of requests that fail on stable').argParser(argument.parseFailing).default(0.01, '1%'))
    .addOption(
      new Option('--latency <LATENCY>', 'latency of stable')
        .argParser(argument.parseLatency)
        .default({ p50Ms: 80, p99Ms: 256 }, 'p50=80ms,p99=256ms'),
    )
    .addOption(
      new Option(
        '--regression <DIFFERENCE>',
        `what is worse about the canary: errors=+2%, errors=5%, errors=x3, latency=x1.2, latency=+20%; may be repeated (default: ${argument.USUAL_DIFFERENCES.join(' ')})`,
      ).argParser(collectDifferences),
    )
    .addOption(new Option('--within <DURATION>', 'how long a release may take (default: 1h or more)').argParser(argument.parseWithin))
    .addOption(
      new Option('--runs <N>', 'releases of each version (default: 200, fewer above 1000/s)').argParser(argument.parseCount(1, 100_000)),
    )
    .addOption(
      new Option('--seed <N>', 'another one gives other requests').argParser(argument.parseCount(0, 4_294_967_295)).default(DEFAULT_SEED),
    )
    .addOption(
      new Option('--users <N>', 'who send the requests, where the Rollout assigns by user (default: 3000)').argParser(
        argument.parseCount(10, 100_000),
      ),
    )
    .addOption(outputOption('json'))
    .action(async (rest: readonly string[], options: Options) => {
      const { paths, name } = sourcesOf(rest, options);
      const { rollout, spec, origin } = await planOf(paths, name, options, io);
      const { rate, errors, latency, seed } = options;
      const users = usersOf(spec, options.users);
      const runs = options.runs ?? usualRuns(rate);
      const traffic: Traffic = { ratePerS: rate, failing: errors, ...latency };
      const horizonS = options.within === undefined ? horizonOf(spec, traffic) : wholeTicks(options.within, traffic);
      const question: Question = {
        spec,
        name: rollout,
        traffic,
        versions: versionsOf(options.regression, traffic),
        runs,
        seed,
        users,
        horizonS,
      };
      const findings = await simulate(question, availableParallelism(), progressTo(io));
      if (options.output === 'json') return io.out(`${printableJson(findingsObject(question, findings, origin))}\n`);
      return io.out(formatFindings(question, findings, origin, io));
    });

/**
 * A shell may have put paths after `-f` (`-f *.yaml`); a Rollout's name has no slash and none of their endings.
 *
 * @throws CliError 2 when there are several names
 */
function sourcesOf(rest: readonly string[], { file }: Options): { readonly paths: readonly string[]; readonly name: string | undefined } {
  const names = rest.filter((each) => !each.includes('/') && !['.yaml', '.yml', '.json'].includes(extname(each)));
  if (file === undefined) return { paths: pathsOf(file, rest), name: undefined };
  if (names.length > 1)
    throw new CliError(EXIT.usage, `expected one Rollout, found ${names.join(' and ')}`, 'say -f before each directory');
  const [name] = names;
  return {
    paths: pathsOf(
      file,
      rest.filter((each) => each !== name),
    ),
    name,
  };
}

interface Plan {
  /** `namespace/name`. */
  readonly rollout: string;
  readonly spec: RolloutSpec;
  readonly origin?: string;
}

async function planOf(paths: readonly string[], name: string | undefined, { namespace }: Options, io: Io): Promise<Plan> {
  const { diagnostics, snapshot } = await load(paths, io);
  if (hasErrors(diagnostics)) {
    io.err(formatDiagnostics(diagnostics, (_severity, text) => text));
    throw new CliError(EXIT.invalid, 'the configuration is invalid');
  }
  const found = snapshot.rollouts.filter((each) => each.metadata.namespace === namespace);
  if (found.length === 0 && name === undefined) {
    const spec: RolloutSpec = { host: 'any', stable: 'stable', canary: 'canary' };
    return { rollout: `${namespace}/any`, spec, origin: `no Rollout in namespace ${namespace}: the automatic ramp` };
  }
  const { metadata, spec } = pick(found, name, namespace);
  const rollout = `${namespace}/${metadata.name}`;
  const begun = begin(spec, rollout);
  if (isRefusal(begun)) throw new CliError(EXIT.conflict, `Rollout ${metadata.name} cannot start: ${begun.reason}`, begun.hint);
  return { rollout, spec };
}

function pick(rollouts: readonly Rollout[], name: string | undefined, namespace: string): Rollout {
  const names = rollouts.map(({ metadata }) => metadata.name);
  if (name === undefined) {
    const [only, ...others] = rollouts;
    if (only !== undefined && others.length === 0) return only;
    throw new CliError(EXIT.usage, `which rollout? Namespace ${namespace} has ${names.join(', ')}`, `say one of them after the files`);
  }
  const found =
    rollouts.find(({ metadata }) => metadata.name === name) ?? rollouts.find(({ spec }) => spec.host === name || spec.route?.name === name);
  if (found !== undefined) return found;
  const near = nearest(name, names);
  const hint =
    near !== undefined ? `did you mean ${near}?` : names.length === 0 ? `say -f ${name} if it is a path` : `there is ${names.join(', ')}`;
  throw new CliError(EXIT.notFound, `no Rollout ${name} in namespace ${namespace} of these files`, hint);
}

/** @throws CliError 2 when one is no worse than stable */
function versionsOf(stated: readonly argument.Difference[] | undefined, traffic: Traffic): readonly Version[] {
  const differences = stated ?? argument.USUAL_DIFFERENCES.map(argument.parseDifference);
  const worse = differences.map((difference) => {
    const version = argument.versionOf(difference, traffic);
    if (version === undefined)
      throw new CliError(
        EXIT.usage,
        `--regression ${difference.text} is no worse than stable, of which ${argument.percentText(traffic.failing)} of requests fail`,
        'a good release is simulated anyway',
      );
    return version;
  });
  return [argument.goodVersion(traffic), ...worse];
}

/** @throws CliError 2 where nobody would take notice of it */
function usersOf({ assignment }: RolloutSpec, stated: number | undefined): number {
  if (stated !== undefined && assignment?.by !== 'user')
    throw new CliError(EXIT.usage, '--users is for a Rollout with assignment: { by: user }; this one assigns by request');
  return stated ?? DEFAULT_USERS;
}

function collectDifferences(text: string, previous: readonly argument.Difference[] | undefined): readonly argument.Difference[] {
  if (previous?.some((difference) => difference.text === text) === true) throw new InvalidArgumentError(`${text} is given twice`);
  return [...(previous ?? []), argument.parseDifference(text)];
}

/** Enough for an interval of a few percent, few enough for a minute. */
function usualRuns(ratePerS: number): number {
  return Math.min(200, Math.round(200_000 / ratePerS));
}

/** A line that is drawn over, where somebody watches. */
function progressTo(io: Io): (done: number) => void {
  if (io.areMessagesSeen !== true) return () => undefined;
  return (done) => io.err(done === 1 ? '\r\u001b[K' : `\rsimulating: ${Math.round(100 * done)} %`);
}
