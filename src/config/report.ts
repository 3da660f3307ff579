/**
 * Collects what is wrong with one resource, each problem at its place in the user's file.
 *
 * A `Place` is a field on the way down (`spec` → `http` → `0`); it costs one small object and becomes a path and a position only when there is
 * something to say.
 */
import type { Diagnostic, Severity } from '../base/diagnostic.ts';
import type { Code } from './codes.ts';
import type { Origin } from './resources.ts';
import type { Path } from './yaml-node.ts';

/** Position of a field in the user's files; of the nearest enclosing one when the field itself is not there. */
export type Locate = (path: Path, at: 'key' | 'value') => Located;

interface Located {
  readonly origin: Origin;
  /** The field as the user wrote it: another one than asked for where the resource is expanded from the short form. */
  readonly path: Path;
}

export interface ResourceId {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export class Report {
  readonly id: ResourceId;
  readonly #locate: Locate;
  readonly #sink: Diagnostic[];

  constructor(id: ResourceId, locate: Locate, sink: Diagnostic[]) {
    this.id = id;
    this.#locate = locate;
    this.#sink = sink;
  }

  /** Whether the value at `path` is the user's: not where something stands in for one whose shape is wrong. */
  isSound(_path: Path): boolean {
    return true;
  }

  add(severity: Severity, path: Path, code: Code, message: string, hint?: string, at: 'key' | 'value' = 'value'): void {
    const { origin, path: written } = this.#locate(path, at);
    const { file, line, column } = origin;
    const { kind, namespace, name } = this.id;
    this.#sink.push({
      file,
      line,
      column,
      code,
      severity,
      kind,
      namespace,
      name,
      path: formatPath(written),
      message,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** A field of a resource under validation. */
export class Place {
  readonly report: Report;
  readonly #parent: Place | undefined;
  readonly #step: string | number;

  private constructor(report: Report, parent: Place | undefined, step: string | number) {
    this.report = report;
    this.#parent = parent;
    this.#step = step;
  }

  static root(report: Report): Place {
    return new Place(report, undefined, '');
  }

  at(step: string | number): Place {
    return new Place(this.report, this, step);
  }

  get path(): Path {
    return this.#parent === undefined ? [] : [...this.#parent.path, this.#step];
  }

  /** False where the value was reported already, so that nothing can be concluded from it. */
  get isSound(): boolean {
    return this.report.isSound(this.path);
  }

  error(code: Code, message: string, hint?: string): void {
    this.report.add('error', this.path, code, message, hint);
  }

  warn(code: Code, message: string, hint?: string): void {
    this.report.add('warning', this.path, code, message, hint);
  }

  /** An error about the name of this field rather than its value: an unknown key, a bad header name. */
  keyError(code: Code, message: string, hint?: string): void {
    this.report.add('error', this.path, code, message, hint, 'key');
  }
}

/** Letters of one value or key in a message. */
const MAX_SHOWN = 80;

const SIMPLE_STEP = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** `spec.http[2].headers.request.set["x-a.b"]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (step.length <= MAX_SHOWN && SIMPLE_STEP.test(step)) text += text === '' ? step : `.${step}`;
    else text += `[${JSON.stringify(shorten(step))}]`;
  }
  return text;
}

/** A value in a message: quoted, and never so long that it hides the message. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(shorten(value));
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  return Array.isArray(value) ? 'a list' : 'a mapping';
}

function shorten(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
