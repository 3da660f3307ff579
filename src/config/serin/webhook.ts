/** What the shape of a Rollout's webhooks cannot say. */
import { isDns1123Label } from '../names.ts';
import { show, type Place } from '../report.ts';
import { checkAuth, checkCondition, checkInterval, checkSecretValue, checkTimeout } from './metric-template.ts';
import type { WebhookSpec, WebhookType } from './metric-spec.ts';
import { checkOutboundUrl } from './outbound-url.ts';

const TOLD_ONCE: ReadonlySet<WebhookType> = new Set(['post-rollout', 'event']);
const CAN_FAIL: ReadonlySet<WebhookType> = new Set(['pre-rollout', 'rollout']);
const MAX_WEBHOOKS = 50;

export function checkWebhooks(webhooks: readonly WebhookSpec[] | undefined, place: Place): void {
  if (webhooks === undefined) return;
  if (webhooks.length > MAX_WEBHOOKS) place.error('E_RANGE', `${webhooks.length} webhooks, at most ${MAX_WEBHOOKS} are allowed`);
  const seen = new Set<string>();
  for (const [index, webhook] of webhooks.entries()) {
    const at = place.at(index);
    if (!isDns1123Label(webhook.name))
      at.at('name').error('E_NAME', `webhook name ${show(webhook.name)} is not a DNS label`, 'at most 63 lower-case letters, digits and -');
    if (seen.has(webhook.name)) at.at('name').error('E_DUPLICATE', `webhook ${show(webhook.name)} is given twice`, 'rename one of them');
    seen.add(webhook.name);
    checkWebhook(webhook, at);
  }
}

function checkWebhook(webhook: WebhookSpec, place: Place): void {
  const { type, url, interval, failureLimit, successCondition, secret, timeout } = webhook;
  checkOutboundUrl(url, place.at('url'));
  checkTimeout(timeout, place.at('timeout'));
  checkInterval(interval, place.at('interval'));
  checkCondition(successCondition, place.at('successCondition'));
  checkAuth(webhook, place);
  if (secret !== undefined) checkSecretValue(secret, place.at('secret'), true);
  for (const [key, value] of Object.entries({ interval, successCondition })) {
    if (value !== undefined && TOLD_ONCE.has(type))
      place.at(key).error('E_ONE_OF', `${type} is told once, and its answer decides nothing: no ${key}`, 'remove it');
  }
  if (failureLimit !== undefined && !CAN_FAIL.has(type))
    place
      .at('failureLimit')
      .error('E_ONE_OF', `${type} cannot fail a release: no failureLimit`, 'it is of pre-rollout and rollout; others hold, or take back');
}
