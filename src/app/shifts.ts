/** `serin shift`: checks, makes durable and brings into force what a user moves by hand; drops it again. */
import type { Actor } from '../admin/access.ts';
import type { Shift, ShiftResult, Weights } from '../admin/api-types.ts';
import { ProblemError } from '../admin/problem.ts';
import { formatDiagnostic, hasErrors, type Diagnostic } from '../base/diagnostic.ts';
import { checkShift, type Overlay } from '../config/overlay.ts';
import { showTarget, targetNamed } from '../config/release-target.ts';
import { ListenError } from '../proxy/options.ts';
import { describeListenError } from './listen.ts';
import type { Logger } from './logger.ts';
import { writeOverlay } from './overlay-state.ts';
import type { InForce, Pipeline } from './pipeline.ts';
import { splitOf } from './splits.ts';
import { type Change, changeBy } from './audit-table.ts';
import { type State, StateWriteError } from './state.ts';

/** Codes of `checkShift` that mean "there is no such thing" rather than "this cannot be done". */
const NOT_FOUND: ReadonlySet<string> = new Set(['E_SHIFT_HOST', 'E_SHIFT_SUBSET']);

export class Shifts {
  readonly #pipeline: Pipeline;
  readonly #state: State;
  readonly #logger: Logger;

  constructor(pipeline: Pipeline, state: State, logger: Logger) {
    this.#pipeline = pipeline;
    this.#state = state;
    this.#logger = logger;
  }

  list(): Shift[] {
    return Object.entries(this.#pipeline.inForce.overlay.shifts).map(([host, { weights }]) => ({ host, weights: { ...weights } }));
  }

  /**
   * @param host As people write a target (`targetNamed`).
   * @throws ProblemError 404 (target, version), 409 while a release moves it, 422, 500, 507
   */
  set(namespace: string, host: string, weights: Weights, by: Actor): Promise<ShiftResult> {
    const name = targetNamed(host, namespace);
    return this.#change(changeBy(by, 'shift', name), (now) => {
      refuse(checkShift(now.base, name, weights));
      const release = now.overlay.releases[name];
      if (release !== undefined) {
        throw new ProblemError(409, 'E_CONFLICT', `Rollout ${release.rollout} moves ${showTarget(name)}`, {
          hint: 'serin rollout status says how far it is; what has ended stays in force until the files say the same, or its Rollout goes',
        });
      }
      return { ...now.overlay, shifts: { ...now.overlay.shifts, [name]: { weights } } };
    });
  }

  /** @throws ProblemError 404 when there is no shift of the host, 500, 507 */
  reset(namespace: string, host: string, by: Actor): Promise<ShiftResult> {
    const name = targetNamed(host, namespace);
    return this.#change(changeBy(by, 'reset', name), (now) => {
      const { [name]: dropped, ...others } = now.overlay.shifts;
      if (dropped === undefined) throw new ProblemError(404, 'E_NOT_FOUND', `there is no shift of ${showTarget(name)} to drop`);
      return { ...now.overlay, shifts: others };
    });
  }

  async #change(record: Change, change: (now: InForce) => Overlay): Promise<ShiftResult> {
    const host = record.target;
    try {
      const late = await this.#pipeline.warmUpFor(change);
      if (late.length > 0)
        throw new ProblemError(422, 'E_TARGET_UNHEALTHY', `not ready in time: ${late.join('; ')}`, { hint: 'serin get processes' });
      const { before, after } = await this.#pipeline.changeOverlay(change, (overlay) => writeOverlay(this.#state, overlay, record), {
        cause: 'shift',
        by: record.actor,
      });
      const known = new Set(before.diagnostics.map(formatDiagnostic));
      return {
        host,
        before: splitOf(before.effective, host),
        after: splitOf(after.effective, host),
        version: after.table.version,
        warnings: after.diagnostics
          .filter((diagnostic) => !known.has(formatDiagnostic(diagnostic)))
          .map((diagnostic) => diagnostic.message),
      };
    } catch (error) {
      throw this.#problem(error, host);
    } finally {
      this.#pipeline.coolDown();
    }
  }

  #problem(error: unknown, host: string): ProblemError {
    if (error instanceof ProblemError) return error;
    if (error instanceof StateWriteError) {
      this.#logger.error({ code: error.code }, `shift of ${host} refused: ${error.message}`);
      return new ProblemError(
        507,
        'E_STATE_WRITE',
        error.message,
        { hint: 'make space in the state directory and try again' },
        { cause: error },
      );
    }
    this.#logger.error({ err: error }, `shift of ${host} could not be brought into force`);
    const detail =
      error instanceof ListenError ? describeListenError(error) : 'the routing that was in force stays; see the log of serin up';
    return new ProblemError(500, 'E_APPLY', detail, {}, { cause: error });
  }
}

function refuse(diagnostics: readonly Diagnostic[]): void {
  if (!hasErrors(diagnostics)) return;
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  const isMissing = errors.some((diagnostic) => NOT_FOUND.has(diagnostic.code));
  const detail = errors.map((diagnostic) => diagnostic.message).join('; ');
  const hint = errors.find((diagnostic) => diagnostic.hint !== undefined)?.hint;
  throw new ProblemError(isMissing ? 404 : 422, isMissing ? 'E_NOT_FOUND' : 'E_SHIFT_INVALID', detail, { hint });
}
