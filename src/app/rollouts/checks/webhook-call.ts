/**
 * Sends one webhook. The body is Flagger's (CanaryWebhookPayload) with a few members more; the answer is a yes, a no, or neither.
 *
 * Signed where a secret is given: `X-Serin-Signature: t=SECONDS,v1=HEX`, HMAC-SHA256 over `SECONDS.BODY`. `Idempotency-Key` is one for each attempt,
 * `X-Serin-Decision` one for what is asked, over all attempts.
 */
import { createHmac } from 'node:crypto';
import { parseDuration } from '../../../base/duration.ts';
import { meets } from '../../../config/serin/condition.ts';
import type { WebhookSpec } from '../../../config/serin/metric-spec.ts';
import type { WebhookRun } from '../../../rollout/checks.ts';
import { inRace } from '../../../rollout/race.ts';
import { percent } from '../../../rollout/spec.ts';
import { canaryWeight, type DecisionRecord, type RolloutState } from '../../../rollout/state.ts';
import { call, CallError } from './http-call.ts';
import { headersOf, secretOf, type Source } from './secrets.ts';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_CHARS = 200;
/** Said by what stands in between, or as a request to come again: no verdict. */
const NO_VERDICT = new Set([408, 425, 429, 502, 503, 504]);

export interface Letter {
  readonly webhook: WebhookSpec;
  /** `namespace/name`. */
  readonly rollout: string;
  /** What is asked, or told. */
  readonly key: string;
  readonly attempt: number;
  readonly body: string;
}

export type Reply = Pick<WebhookRun, 'phase' | 'message'>;

/** @param record What an `event` or `post-rollout` tells of. */
export function bodyOf(
  webhook: WebhookSpec,
  rollout: string,
  host: string,
  state: RolloutState,
  decision: string,
  record: DecisionRecord | undefined,
): string {
  const [namespace = '', name = ''] = rollout.split('/');
  const event: Record<string, string> =
    record === undefined
      ? {}
      : {
          eventMessage: record.reason,
          eventType: ['rollback', 'abort', 'undo', 'pause'].includes(record.action) ? 'Warning' : 'Normal',
          timestamp: String(Date.parse(record.at)),
        };
  return JSON.stringify({
    name,
    namespace,
    phase: flaggerPhase(webhook, state),
    type: webhook.type,
    canaryWeight: record?.canaryPercent ?? percent(canaryWeight(state)),
    host,
    stable: state.stable,
    canary: inRace(state).join('|'),
    run: state.run,
    step: record?.step ?? state.active?.step ?? -1,
    decision,
    ...(record === undefined ? {} : { action: record.action, reason: record.reason }),
    metadata: { ...webhook.metadata, ...event },
  });
}

function flaggerPhase({ type }: WebhookSpec, { active, outcome }: RolloutState): string {
  if (active === undefined) return outcome === 'promoted' ? 'Succeeded' : 'Failed';
  if (active.back !== undefined) return 'Failed';
  if (type === 'confirm-rollout') return 'Waiting';
  if (type === 'confirm-promotion') return 'WaitingPromotion';
  return active.hold === undefined ? 'Progressing' : 'Waiting';
}

/** Never throws: what goes wrong is a reply. @param source Of the Rollout's file. */
export async function send(
  { webhook, rollout, key, attempt, body }: Letter,
  source: Source,
  nowMs: number,
  signal: AbortSignal,
): Promise<Reply> {
  const decision = `${rollout}#${key}/${webhook.name}`;
  try {
    const seconds = Math.floor(nowMs / 1000);
    const secret = webhook.secret === undefined ? undefined : secretOf(webhook.secret, source);
    const { status, body: answer } = await call({
      url: webhook.url,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': `${decision}@${attempt}`,
        'x-serin-decision': decision,
        ...(secret === undefined
          ? {}
          : { 'x-serin-signature': `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}` }),
        ...headersOf(webhook, source),
      },
      body,
      timeoutMs: webhook.timeout === undefined ? TIMEOUT_MS : (parseDuration(webhook.timeout) ?? TIMEOUT_MS),
      signal,
    });
    return replyOf(webhook, status, answer);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { phase: error instanceof CallError && error.mayHaveArrived ? 'unknown' : 'error', message };
  }
}

function replyOf({ successCondition }: WebhookSpec, status: number, body: string): Reply {
  const said = body.trim() === '' ? '' : `: ${body.trim().slice(0, MAX_ANSWER_CHARS)}`;
  const message = `answered ${status}${said}`;
  if (status >= 300 && status < 400) return { phase: 'error', message: `answered ${status}; redirects are not followed` };
  if (NO_VERDICT.has(status)) return { phase: 'error', message };
  if (status < 200 || status >= 300) return { phase: 'refused', message };
  if (successCondition === undefined) return { phase: 'passed', message };
  const verdict = meets(successCondition, parseJson(body));
  if ('problem' in verdict) return { phase: 'error', message: `${message}; the condition cannot be told of it: ${verdict.problem}` };
  return verdict.holds ? { phase: 'passed', message } : { phase: 'refused', message: `${message}; it does not meet ${successCondition}` };
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
