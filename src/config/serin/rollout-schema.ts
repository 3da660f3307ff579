/** The shape of a Rollout. What the shape cannot say is in rollout.ts. */
import { z } from 'zod';
import { bool, later, optional, text } from '../istio/fields.ts';
import { WEEKDAYS } from './rollout-spec.ts';

const headerRouteMatch = z.strictObject({
  headerName: text,
  headerValue: z.strictObject({ exact: optional(text), prefix: optional(text), regex: optional(text) }),
});
const cohort = z.array(headerRouteMatch);
const percentage = z.number().min(0).max(100);
const pause = z.strictObject({ duration: optional(text) });
const analysisStep = z.strictObject({ atLeast: optional(text), timeout: optional(text) });

const step = z.strictObject({
  setWeight: optional(percentage),
  pause: optional(pause),
  setHeaderRoute: optional(z.strictObject({ name: optional(text), match: optional(cohort) })),
  setMirrorRoute: later(z.strictObject({ percentage: optional(percentage) }), 'requests are not mirrored'),
  analysis: optional(analysisStep),
  bake: optional(z.strictObject({ duration: text })),
  stage: optional(
    z.strictObject({
      match: optional(cohort),
      setWeight: optional(percentage),
      pause: optional(pause),
      analysis: optional(analysisStep),
    }),
  ),
});

const ratio = z.number().min(0).max(1);
const factor = z.number().min(1).max(100);

const fields = {
  stable: text,
  canary: text,
  paused: optional(bool),
  assignment: optional(
    z.strictObject({
      by: z.enum(['request', 'user']),
      header: optional(text),
      cookie: optional(text),
      setCookie: optional(z.strictObject({ maxAge: optional(text) })),
      sourceAddress: optional(bool),
    }),
  ),
  strategy: optional(
    z.strictObject({
      canary: optional(z.strictObject({ steps: optional(z.array(step)), ramp: optional(z.enum(['auto'])) })),
      blueGreen: optional(
        z.strictObject({
          preview: optional(z.strictObject({ match: cohort })),
          autoPromote: optional(bool),
          autoPromoteAfter: optional(text),
          scaleDownDelay: optional(text),
        }),
      ),
      ab: optional(
        z.strictObject({
          match: optional(cohort),
          setWeight: optional(percentage),
          duration: text,
          onEnd: optional(z.enum(['pause', 'promote', 'rollback'])),
        }),
      ),
    }),
  ),
  analysis: optional(
    z.strictObject({
      rollbackRisk: optional(z.number().gt(0).lt(1)),
      advanceRisk: optional(z.number().gt(0).lt(1)),
      errorTolerance: optional(ratio),
      errorBudget: optional(ratio),
      latencyTolerance: optional(factor),
      latencyBudget: optional(factor),
      warmup: optional(text),
      onInconclusive: optional(z.enum(['hold', 'rollback'])),
    }),
  ),
  freeze: optional(
    z.array(
      z.strictObject({
        from: text,
        to: text,
        days: optional(z.array(z.enum(WEEKDAYS))),
        timeZone: optional(text),
        reason: optional(text),
      }),
    ),
  ),
  deadline: optional(text),
};

export const rolloutSchema = z.strictObject({ host: text, ...fields });

/** `rollout:` of the short form: a Rollout without its host; `steps` stands for strategy.canary.steps. */
export const shortRolloutSchema = z.strictObject({ ...fields, steps: optional(z.array(step)) });
