/** News as the body of a request: JSON for programs, or what an incoming webhook of Slack (and of what speaks its language) takes. */
import type { NotificationSpec } from '../../config/serin/notification-spec.ts';
import { printableLine } from '../printable.ts';
import { VERSION } from '../version.ts';
import type { News } from './news.ts';

/** Slack cuts longer texts itself, in the middle of a word. */
const MAX_SLACK_CHARS = 2500;

/** @param id One for each item of news and receiver, over all attempts. */
export function bodyOf(format: NotificationSpec['format'], news: News, id: string): string {
  return JSON.stringify(format === 'slack' ? slackMessage(news) : { id, serin: VERSION, ...news });
}

const COLORS: Readonly<Record<News['severity'], string>> = { info: 'good', warning: 'warning', error: 'danger' };

const TITLES: Readonly<Record<News['event'], string>> = {
  rolloutStarted: 'started',
  rolloutStep: 'goes on',
  rolloutWaiting: 'waits for somebody',
  rolloutPaused: 'paused',
  rolloutFrozen: 'frozen',
  rolloutPromoted: 'promoted',
  rolloutRolledBack: 'rolled back',
  configurationRefused: 'configuration refused',
  configurationAccepted: 'configuration accepted',
  endpointEjected: 'endpoint ejected',
};

function slackMessage({ event, severity, namespace, name, summary }: News): object {
  const about = namespace === undefined ? TITLES[event] : `${namespace}/${name} ${TITLES[event]}`;
  const text = escaped(printableLine(summary)).slice(0, MAX_SLACK_CHARS);
  return { text: `*${escaped(about)}*`, attachments: [{ color: COLORS[severity], text, fallback: text, mrkdwn_in: [] }] };
}

/** https://docs.slack.dev/messaging/formatting-message-text: these three and no others. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
