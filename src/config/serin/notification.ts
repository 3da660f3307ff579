/** The shape of a Notification, and what it cannot say. */
import { z } from 'zod';
import { foreign, optional, text } from '../istio/fields.ts';
import { isDns1123Label } from '../names.ts';
import { show, type Place } from '../report.ts';
import { envValue, httpFields, VERIFIED } from './metric-schema.ts';
import { checkAuth, checkSecretValue, checkTimeout } from './metric-template.ts';
import { NOTIFIED_EVENTS, type NotificationSpec } from './notification-spec.ts';
import { checkOutboundUrl } from './outbound-url.ts';

export const notificationSchema = foreign(
  z.strictObject({
    url: envValue,
    format: optional(z.enum(['json', 'slack'])),
    events: optional(z.array(z.enum(NOTIFIED_EVENTS)).min(1)),
    namespaces: optional(z.array(text).min(1)),
    secret: optional(envValue),
    timeout: optional(text),
    ...httpFields,
  }),
  {
    type: 'write format: slack, or format: json for everything that takes a webhook',
    address: 'write url',
    secretRef: 'write url: { file: PATH }, or url: ${NAME} and set it where Serin is started',
    channel: 'a webhook of Slack belongs to one channel; write a Notification for each',
    eventSeverity: 'write events: [rolloutRolledBack, configurationRefused]',
    insecure: VERIFIED,
  },
);

export function checkNotification(spec: NotificationSpec, place: Place): void {
  const { url, format, events = [], namespaces = [], secret, timeout } = spec;
  checkSecretValue(url, place.at('url'), format === 'slack');
  if (typeof url === 'string' && url !== '' && !url.includes('${')) checkOutboundUrl(url, place.at('url'));
  for (const [key, names] of Object.entries<readonly string[]>({ events, namespaces })) {
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) !== index)
        place
          .at(key)
          .at(index)
          .error('E_DUPLICATE', `${show(name)} is given twice`, 'remove one of them');
    }
  }
  for (const [index, name] of namespaces.entries()) {
    if (name !== '*' && !isDns1123Label(name))
      place
        .at('namespaces')
        .at(index)
        .error('E_NAME', `${show(name)} is no namespace`, "lower-case letters, digits and -, or '*' for all");
  }
  if (namespaces.includes('*') && namespaces.length > 1)
    place.at('namespaces').error('E_ONE_OF', "'*' is every namespace already", 'remove the others');
  if (secret !== undefined) checkSecretValue(secret, place.at('secret'), true);
  checkTimeout(timeout, place.at('timeout'));
  checkAuth(spec, place);
}
