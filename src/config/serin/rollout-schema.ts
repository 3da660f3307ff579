/** The shape of a Rollout. What the shape cannot say is in rollout.ts. */
import { z } from 'zod';
import { bool, optional, text, texts } from '../istio/fields.ts';
import { approvalSchema } from './approval.ts';
import { metricUseSchema, webhookSchema } from './metric-schema.ts';
import { WEEKDAYS } from './rollout-spec.ts';

const headerRouteMatch = z.strictObject({
  headerName: text,
  headerValue: z.strictObject({ exact: optional(text), prefix: optional(text), regex: optional(text) }),
});
const cohort = z.array(headerRouteMatch);
const percentage = z.number().min(0).max(100);
const pause = z.strictObject({ duration: optional(text), approval: optional(approvalSchema) });
const analysisStep = z.strictObject({ atLeast: optional(text), timeout: optional(text) });

const step = z.strictObject({
  setWeight: optional(percentage),
  pause: optional(pause),
  setHeaderRoute: optional(z.strictObject({ name: optional(text), match: optional(cohort), to: optional(text) })),
  setMirrorRoute: optional(z.strictObject({ percentage: optional(percentage), to: optional(text) })),
  analysis: optional(analysisStep),
  bake: optional(z.strictObject({ duration: text })),
  stage: optional(
    z.strictObject({
      match: optional(cohort),
      to: optional(text),
      setWeight: optional(percentage),
      pause: optional(pause),
      analysis: optional(analysisStep),
    }),
  ),
});

const ratio = z.number().min(0).max(1);
const factor = z.number().min(1).max(100);

const status5xx = z.number().int().min(500).max(599);

const fields = {
  stable: text,
  canary: optional(text),
  canaries: optional(texts),
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
      canary: optional(
        z.strictObject({ steps: optional(z.array(step)), ramp: optional(z.enum(['auto'])), scaleDownDelay: optional(text) }),
      ),
      blueGreen: optional(
        z.strictObject({
          preview: optional(z.strictObject({ match: cohort })),
          approval: optional(approvalSchema),
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
      relax: optional(text),
      onInconclusive: optional(z.enum(['hold', 'rollback'])),
      metrics: optional(z.array(metricUseSchema)),
    }),
  ),
  webhooks: optional(z.array(webhookSchema)),
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
  approval: optional(approvalSchema),
  requires: optional(z.array(text)),
  fallback: optional(
    z.union([z.literal('stable'), z.strictObject({ to: z.literal('stable'), statusCodes: optional(z.array(status5xx)) })], {
      error: 'expected stable, or { to: stable, statusCodes: [503] } with statuses from 500 to 599',
    }),
  ),
  rollback: optional(
    z.strictObject({
      when: optional(z.enum(['cold', 'always'])),
      steps: optional(z.array(percentage)),
      interval: optional(text),
    }),
  ),
};

const route = z.strictObject({ kind: optional(z.enum(['HTTPRoute', 'GRPCRoute'])), name: text, namespace: optional(text) });

export const rolloutSchema = z.strictObject({ host: optional(text), route: optional(route), ...fields });

/** `rollout:` of the short form: a Rollout without its host; `steps` stands for strategy.canary.steps. */
export const shortRolloutSchema = z.strictObject({ ...fields, steps: optional(z.array(step)) });
