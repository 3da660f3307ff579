/** Alerts of a Canary and their AlertProviders as Notifications, one for each provider and severity in a namespace. */
import { ignoreHead, type ForeignDocument } from '../document.ts';
import { defined, head, labelOf, type Output } from '../emit.ts';
import type { Field } from '../field.ts';
import { SERIN_API } from '../release.ts';

/** Where a provider's alerts go; undefined where nothing here speaks its language. */
export type AlertProviders = ReadonlyMap<string, string | undefined>;

/** What takes the format of Slack's incoming webhooks. */
const LIKE_SLACK: ReadonlySet<string> = new Set(['slack', 'rocket', 'discord']);

/** Least first; each has the events of those after it. */
const EVENTS: Readonly<Record<string, readonly string[] | undefined>> = {
  info: undefined,
  warn: ['rolloutPaused', 'rolloutRolledBack'],
  error: ['rolloutRolledBack'],
};

export function readAlertProviders(documents: readonly ForeignDocument[]): AlertProviders {
  const found = new Map<string, string | undefined>();
  for (const document of documents) {
    if (document.kind !== 'AlertProvider' || document.group !== 'flagger.app') continue;
    ignoreHead(document);
    for (const [, annotation] of document.root.at('metadata', 'annotations').entries()) annotation.ignore();
    found.set(`${document.namespace ?? 'default'}/${document.name}`, urlOf(document.root.at('spec'), document.name));
  }
  return found;
}

function urlOf(spec: Field, name: string): string | undefined {
  const type = spec.at('type').text() ?? '';
  const address = spec.at('address').text();
  const secret = spec.at('secretRef');
  spec.at('channel').noEquivalent('a webhook of a chat belongs to one channel', 'write a Notification for each');
  spec.at('username').noEquivalent('the name beside a message is the one of the webhook');
  spec.at('proxy').noEquivalent('notifications are sent without a proxy');
  if (!LIKE_SLACK.has(type)) {
    spec
      .at('type')
      .noEquivalent(`${type} does not take what Slack takes; nobody is told through it`, 'put something between that takes format: json');
    secret.ignore();
    return undefined;
  }
  if (address !== undefined) {
    secret.ignore();
    return type === 'discord' && !address.endsWith('/slack') ? `${address.replace(/\/$/, '')}/slack` : address;
  }
  const variable = `${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}_URL`;
  secret.noEquivalent(`Secrets are not read: set ${variable} where Serin is started to the address in it`);
  return `\${${variable}}`;
}

/** @param done Those that were written already, by namespace and name. */
export function notificationsOf(
  alerts: Field,
  namespace: string | undefined,
  providers: AlertProviders,
  done: Set<string>,
): readonly Output[] {
  return alerts.items().flatMap((alert) => {
    alert.at('name').ignore();
    const severity = alert.at('severity').text() || 'info';
    const reference = alert.at('providerRef');
    const name = reference.at('name').text() ?? '';
    const home = reference.at('namespace').text() ?? namespace ?? 'default';
    for (const key of ['apiVersion', 'kind']) reference.at(key).ignore();
    const key = `${home}/${name}`;
    if (!providers.has(key)) {
      reference.missing(`AlertProvider ${key} is not in the files given; nobody is told through it`, 'give its file too');
      return [];
    }
    const url = providers.get(key);
    const label = labelOf(severity === 'info' ? name : `${name}-${severity}`);
    if (url === undefined || done.has(`${namespace ?? ''}/${label}`)) return [];
    done.add(`${namespace ?? ''}/${label}`);
    return [
      {
        document: {
          ...head(SERIN_API, 'Notification', label, namespace),
          spec: defined({ url, format: 'slack', events: EVENTS[severity] }),
        },
      },
    ];
  });
}
