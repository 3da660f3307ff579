/**
 * Conditions on what a metric or a webhook answers: CEL (the Common Expression Language, https://cel.dev), with one variable, `result`.
 *
 * Beside CEL's own functions there are those of Argo Rollouts' conditions (`asFloat`, `asInt`, `isNaN`, `isInf`, `isNil`, `len`, `default`), and whole
 * numbers and fractions may be mixed in arithmetic, which CEL itself does not do: `result * 100 > 95`. Numbers of answers are fractions (double).
 *
 * The library is loaded with the first condition: a quarter of a second that a configuration without one does not pay.
 */
import { createRequire } from 'node:module';
import type * as Cel from '@bufbuild/cel';

const MAX_CHARS = 1024;

export type Verdict = { readonly holds: boolean } | { readonly problem: string };

interface Problem {
  readonly message: string;
  readonly hint?: string;
}

type Expression = ReturnType<typeof Cel.parse>['expr'];

interface Library {
  readonly cel: typeof Cel;
  readonly env: Cel.CelEnv<{ readonly result: typeof Cel.CelScalar.DYN }>;
}

const require = createRequire(import.meta.url);
let library: Library | undefined;

function load(): Library {
  if (library !== undefined) return library;
  const cel: typeof Cel = require('@bufbuild/cel');
  const env = cel.celEnv({ variables: { result: cel.CelScalar.DYN }, funcs: functions(cel) });
  library = { cel, env };
  return library;
}

function functions({ celFunc, CelScalar, isCelList, isCelMap }: typeof Cel): Cel.CelFunc[] {
  const { DYN, INT, DOUBLE, BOOL } = CelScalar;
  const operators: readonly (readonly [string, (a: number, b: number) => number])[] = [
    ['_+_', (a, b) => a + b],
    ['_-_', (a, b) => a - b],
    ['_*_', (a, b) => a * b],
    ['_/_', (a, b) => a / b],
  ];
  return [
    ...operators.flatMap(([name, work]) => [
      celFunc(name, [DOUBLE, INT], DOUBLE, (a, b) => work(a, Number(b))),
      celFunc(name, [INT, DOUBLE], DOUBLE, (a, b) => work(Number(a), b)),
    ]),
    celFunc('asFloat', [DYN], DOUBLE, numberOf),
    celFunc('asInt', [DYN], INT, (value) => BigInt(Math.trunc(numberOf(value)))),
    celFunc('isNaN', [DYN], BOOL, (value) => Number.isNaN(value)),
    celFunc('isInf', [DYN], BOOL, (value) => value === Infinity || value === -Infinity),
    celFunc('isNil', [DYN], BOOL, (value) => value === null),
    celFunc('default', [DYN, DYN], DYN, (value, other) => (value === null ? other : value)),
    celFunc('len', [DYN], INT, (value) => {
      if (typeof value === 'string') return BigInt(Array.from(value).length);
      if (isCelList(value) || isCelMap(value)) return BigInt(value.size);
      throw new Error('len() takes a text, a list or a map');
    }),
  ];
}

function numberOf(value: unknown): number {
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
  const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
  if (Number.isNaN(parsed))
    throw new Error(`not a number: ${typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : typeof value}`);
  return parsed;
}

/** What is wrong with a condition, as far as that can be told without an answer; undefined when nothing is. */
export function conditionProblem(condition: string): Problem | undefined {
  if (condition.trim() === '') return { message: 'the condition is empty', hint: 'result[0] <= 0.01' };
  if (condition.length > MAX_CHARS) return { message: `the condition is ${condition.length} characters long, ${MAX_CHARS} are allowed` };
  const { cel, env } = load();
  let expr: Expression;
  try {
    expr = cel.parse(condition).expr;
  } catch (error) {
    const hint = wordHint(condition);
    return {
      message: `the condition is no CEL: ${messageOf(error).replace(/^<input>:1:/, 'column ')}`,
      ...(hint === undefined ? {} : { hint }),
    };
  }
  const free = freeNames(expr);
  for (const name of free.variables) {
    if (name === 'result') continue;
    return { message: `unknown name ${name}`, hint: name === 'nil' ? 'write null, or isNil(result)' : 'the answer is called result' };
  }
  for (const name of free.functions) {
    if (env.funcs.find(name) === undefined)
      return { message: `unknown function ${name}`, hint: 'functions of CEL, and asFloat, asInt, isNaN, isInf, isNil, len, default' };
  }
  if (!free.variables.has('result')) return { message: 'the condition does not look at result', hint: 'result[0] <= 0.01' };
  return undefined;
}

/** Words of expr-lang, which Argo Rollouts' conditions are written in, that CEL has others for. */
function wordHint(condition: string): string | undefined {
  const found = /\b(?<word>and|or|not|matches|contains|startsWith|endsWith)\s/.exec(condition)?.groups?.['word'];
  if (found === undefined) return undefined;
  const words: Readonly<Record<string, string>> = { and: '&&', or: '||', not: '!' };
  return `${found} is not CEL: write ${words[found] ?? `result.${found}("…")`}`;
}

/** Whether `result` (plain JSON values) meets a condition that `conditionProblem` has nothing against. */
export function meets(condition: string, result: unknown): Verdict {
  const { cel, env } = load();
  try {
    const found = cel.plan(env, cel.parse(condition))({ result: inputOf(result) });
    if (cel.isCelError(found)) return { problem: found.message };
    return typeof found === 'boolean' ? { holds: found } : { problem: `it is neither true nor false but a ${typeName(found)}` };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** JSON objects as maps, which is how CEL takes them. */
function inputOf(value: unknown): Cel.CelInput {
  if (value === null || typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(inputOf);
  if (typeof value === 'object') return new Map(Object.entries(value).map(([key, member]) => [key, inputOf(member)]));
  return null;
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'bigint' ? 'number' : typeof value;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface Names {
  readonly variables: Set<string>;
  readonly functions: Set<string>;
}

/** Names an expression takes from outside, and functions it calls by name. */
function freeNames(root: Expression): Names {
  const names: Names = { variables: new Set(), functions: new Set() };
  collect(root, new Set(), names);
  return names;
}

function collect(expr: Expression | undefined, bound: ReadonlySet<string>, names: Names): void {
  if (expr === undefined) return;
  const { case: kind, value } = expr.exprKind;
  switch (kind) {
    case 'identExpr':
      if (!bound.has(value.name)) names.variables.add(value.name);
      return;
    case 'selectExpr':
      return collect(value.operand, bound, names);
    case 'callExpr':
      if (/^[A-Za-z]/.test(value.function)) names.functions.add(value.function);
      collect(value.target, bound, names);
      for (const argument of value.args) collect(argument, bound, names);
      return;
    case 'listExpr':
      for (const element of value.elements) collect(element, bound, names);
      return;
    case 'structExpr':
      for (const entry of value.entries) {
        if (entry.keyKind.case === 'mapKey') collect(entry.keyKind.value, bound, names);
        collect(entry.value, bound, names);
      }
      return;
    case 'comprehensionExpr': {
      collect(value.iterRange, bound, names);
      collect(value.accuInit, bound, names);
      const inner = new Set([...bound, value.accuVar, value.iterVar, value.iterVar2]);
      collect(value.loopCondition, inner, names);
      collect(value.loopStep, inner, names);
      collect(value.result, inner, names);
      return;
    }
    default:
  }
}
