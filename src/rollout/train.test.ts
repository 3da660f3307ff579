/** Releases that require each other, over random graphs and lives: what is required is released first and taken back last. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RolloutSpec } from '../config/serin/rollout-spec.ts';
import { messageOf, phaseOf } from './phase.ts';
import type { Outcome } from './outcome.ts';
import { plan } from './plan.ts';
import type { Situation } from './situation.ts';
import { FULL } from './spec.ts';
import { canaryWeight, newState, type RolloutState } from './state.ts';
import { type TrainMember, trainOf } from './train.ts';
import { command, isRefusal, type Refusal, start, type Verb } from './verbs.ts';

const READY = { isReady: true, reason: '' };
const STEPS = { canary: { steps: [{ setWeight: 50 }, { pause: {} }, { setWeight: 100 }, { bake: { duration: '60s' } }] } };
const SPEC: RolloutSpec = { host: 'x', stable: 'v1', canary: 'v2', strategy: STEPS };

/** Several releases, and a data plane that acknowledges at once or when it is told. */
class Train {
  readonly requires: Readonly<Record<string, readonly string[]>>;
  readonly states = new Map<string, RolloutState>();
  /** Not acknowledged yet. */
  readonly pending = new Set<string>();
  /** In the order in which they lost everybody. */
  readonly gone: string[] = [];
  onChange: (name: string, before: RolloutState, after: RolloutState) => void = () => undefined;

  constructor(requires: Readonly<Record<string, readonly string[]>>) {
    this.requires = requires;
    for (const name of Object.keys(requires)) this.states.set(name, newState({ stable: 'v1', canaries: ['v2'] }));
  }

  state(name: string): RolloutState {
    return this.states.get(name) ?? newState({ stable: 'v1', canaries: ['v2'] });
  }

  situations(more: Partial<Situation> = {}): ReadonlyMap<string, Situation> {
    const members = new Map(
      [...this.states].map(([name, state]): [string, TrainMember] => [
        name,
        { requires: this.requires[name] ?? [], state, isInForce: !this.pending.has(name) },
      ]),
    );
    const train = trainOf(members);
    return new Map(
      [...members].map(([name, { isInForce, state }]) => {
        const own = train.get(name);
        const situation = { nowMs: 0, passedMs: 1000, isInForce, canary: READY, stable: READY, ...more };
        const blocked = state.active === undefined ? own?.unmet : undefined;
        return [name, { ...situation, ...(own === undefined ? {} : { train: own }), ...(blocked === undefined ? {} : { blocked }) }];
      }),
    );
  }

  /** As the engine does it: all are looked at, then each decides. */
  tick(): void {
    for (const [name, situation] of this.situations()) this.#take(name, plan(this.state(name), situation));
  }

  ask(name: string, verb: Verb, full = false): Outcome | Refusal {
    const situation = this.situations().get(name);
    if (situation === undefined) throw new Error(name);
    const result =
      verb === 'start' && this.state(name).active === undefined
        ? start(this.state(name), situation, SPEC, `default/${name}`, 'test', 'test')
        : command(this.state(name), { verb, by: 'test', full }, situation, SPEC, `default/${name}`);
    if (!isRefusal(result)) this.#take(name, result);
    return result;
  }

  /** Starts and promotes in full, and lets the bake pass. */
  release(name: string, seconds = 62): void {
    expect(isRefusal(this.ask(name, 'start'))).toBe(false);
    this.tick();
    this.ask(name, 'promote', true);
    for (let tick = 0; tick < seconds; tick++) this.tick();
  }

  message(name: string): string {
    const situation = this.situations().get(name);
    return situation === undefined ? '' : messageOf(this.state(name), situation, undefined);
  }

  #take(name: string, { state, records }: Outcome): void {
    const before = this.state(name);
    if (records.length > 0 && canaryWeight(before) > 0 && canaryWeight(state) === 0) this.gone.push(name);
    this.states.set(name, state);
    this.onChange(name, before, state);
  }
}

const shown = (train: Train): string =>
  [...train.states].map(([name, state]) => `${name} ${phaseOf(state)} ${canaryWeight(state)}`).join(', ');

describe('a train of three', () => {
  const train = (): Train => new Train({ ratings: [], reviews: ['ratings'], page: ['reviews', 'ratings'] });

  test('nobody starts before what it requires serves everybody', () => {
    const three = train();
    expect(three.ask('reviews', 'start')).toMatchObject({ refused: 'blocked', reason: 'it requires ratings, whose v2 gets 0 %' });
    three.ask('ratings', 'start');
    three.tick();
    expect(three.message('reviews')).toBe('it requires ratings, whose v2 gets 50 %');
    three.ask('ratings', 'promote', true);
    expect(isRefusal(three.ask('reviews', 'start'))).toBe(false);
    expect(three.ask('page', 'start')).toMatchObject({ refused: 'blocked', reason: 'it requires reviews, whose v2 gets 0 %' });
  });

  test('taken back in reverse order, each when those before it are in force', () => {
    const three = train();
    for (const name of ['ratings', 'reviews', 'page']) three.release(name);
    expect(shown(three)).toBe('ratings Healthy 10000, reviews Healthy 10000, page Healthy 10000');
    three.ask('ratings', 'undo');
    expect(three.message('ratings')).toBe('about to go back to v1: reviews and page goes back first');
    three.tick();
    expect(three.gone).toEqual(['page']);
    // The data plane has not heard of it yet.
    three.pending.add('page');
    for (let tick = 0; tick < 5; tick++) three.tick();
    expect(three.gone).toEqual(['page']);
    three.pending.clear();
    for (let tick = 0; tick < 5; tick++) three.tick();
    expect(three.gone).toEqual(['page', 'reviews', 'ratings']);
    expect(shown(three)).toBe('ratings Degraded 0, reviews Degraded 0, page Degraded 0');
    expect(three.ask('reviews', 'retry')).toMatchObject({ refused: 'blocked' });
  });

  test('one under way goes back as well, also while it is paused', () => {
    const three = train();
    three.ask('ratings', 'start');
    three.tick();
    three.tick();
    three.ask('ratings', 'promote');
    three.ask('reviews', 'start');
    three.tick();
    expect(shown(three)).toBe('ratings Progressing 10000, reviews Progressing 5000, page Healthy 0');
    three.tick();
    three.ask('reviews', 'pause');
    three.ask('ratings', 'abort');
    for (let tick = 0; tick < 5; tick++) three.tick();
    expect(three.gone).toEqual(['reviews', 'ratings']);
  });

  test('a later run of what it required binds nobody', () => {
    const three = train();
    three.release('ratings');
    three.release('reviews');
    const { active: _none, ...ratings } = three.state('ratings');
    three.states.set('ratings', { ...ratings, stable: 'v2', canaries: ['v3'], outcome: 'settled' });
    const situation = three.situations().get('ratings');
    if (situation === undefined) throw new Error('ratings');
    const next = start(three.state('ratings'), situation, { ...SPEC, stable: 'v2', canary: 'v3' }, 'default/ratings', 'test', 'test');
    if (isRefusal(next)) throw new Error(next.reason);
    three.states.set('ratings', next.state);
    three.tick();
    three.ask('ratings', 'abort');
    for (let tick = 0; tick < 3; tick++) three.tick();
    expect(shown(three)).toContain('ratings Degraded 0, reviews Healthy 10000');
  });
});

// --- random trains -------------------------------------------------------------------------------------------------------------------------

const NAMES = ['a', 'b', 'c', 'd', 'e'];
/** Each may require those before it: no circles, as validation has it. */
const graphs = fc
  .tuple(...NAMES.map((_, index) => fc.subarray(NAMES.slice(0, index))))
  .map((sets) => Object.fromEntries(NAMES.map((name, index) => [name, sets[index] ?? []])));
const lives = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant({ kind: 'tick' as const }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), name: fc.constantFrom(...NAMES) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('acknowledge' as const), name: fc.constantFrom(...NAMES), isPending: fc.boolean() }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('verb' as const),
        name: fc.constantFrom(...NAMES),
        verb: fc.constantFrom<Verb>('start', 'start', 'promote', 'promote', 'promote', 'abort', 'undo', 'pause', 'resume', 'retry'),
        full: fc.boolean(),
      }),
    },
  ),
  { maxLength: 120, size: 'max' },
);

test('random trains: released after what they require, taken back before it, and always to an end', () => {
  let undone = 0;
  fc.assert(
    fc.property(graphs, lives, (requires, life) => {
      const train = new Train(requires);
      train.onChange = (name, before, after) => {
        // Who starts has all it requires at FULL.
        if (after.run > before.run) for (const required of requires[name] ?? []) expect(canaryWeight(train.state(required))).toBe(FULL);
        // Who loses its share has nobody left that is bound to this run.
        if (canaryWeight(after) >= canaryWeight(before)) return;
        for (const [other, state] of train.states) {
          if (state.terms?.requires?.[name] !== before.run) continue;
          undone++;
          expect([other, canaryWeight(state), state.active, train.pending.has(other)]).toEqual([other, 0, undefined, false]);
        }
      };
      for (const event of life) {
        if (event.kind === 'tick') train.tick();
        else if (event.kind === 'release') {
          train.ask(event.name, 'start');
          train.tick();
          train.ask(event.name, 'promote', true);
        } else if (event.kind === 'verb') train.ask(event.name, event.verb, event.full);
        else if (event.isPending) train.pending.add(event.name);
        else train.pending.delete(event.name);
      }
      // Left alone, every way back comes to its end.
      train.pending.clear();
      for (const name of NAMES) if (train.state(name).active?.back !== undefined) train.ask(name, 'resume');
      for (let tick = 0; tick < 4 * NAMES.length; tick++) train.tick();
      expect([...train.states.values()].filter(({ active }) => active?.back !== undefined && active.hold === undefined)).toEqual([]);
    }),
    { numRuns: 500 },
  );
  expect(undone).toBeGreaterThan(50);
});
