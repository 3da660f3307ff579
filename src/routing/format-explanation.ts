import { BUCKETS } from '../base/bucket.ts';
import { RESPONSE_HEADER_TIMEOUT_MS } from './table.ts';
import { describeEndpoints, describeHttp2 } from './describe.ts';
import { pathAndQuery } from './request-view.ts';
import type {
  AssignmentExplanation,
  ClusterExplanation,
  Explanation,
  ForwardExplanation,
  MatchExplanation,
  MirrorExplanation,
  RuleExplanation,
} from './explanation.ts';

/** An explanation for people, a few lines a rule; ends with a line feed. */
export function formatExplanation(explanation: Explanation): string {
  const { request, listener, virtualHost } = explanation;
  const lines = [`${request.method} ${request.scheme}://${request.authority}${pathAndQuery(request)} on listener ${listener}`];
  if (virtualHost !== undefined) lines.push(`virtual host ${virtualHost.name} (its domain ${virtualHost.domain})`);
  lines.push('', ...explanation.rules.flatMap(formatRule));
  if (explanation.rules.length > 0) lines.push('');
  lines.push(...formatOutcome(explanation));
  if (explanation.cors !== undefined) lines.push(`cors: ${explanation.cors}`);
  lines.push(...explanation.requestHeaders.map((line) => `request header: ${line}`));
  lines.push(...explanation.responseHeaders.map((line) => `response header: ${line}`));
  return `${lines.join('\n')}\n`;
}

const MARKS: Readonly<Record<RuleExplanation['verdict'], string>> = {
  taken: 'takes it',
  lost: 'no',
  notReached: 'not asked',
  unreachable: 'never asked',
};

function formatRule(rule: RuleExplanation): readonly string[] {
  const { source } = rule;
  const place = `${source.kind} ${source.namespace}/${source.name}${source.path === '' ? '' : ` ${source.path}`}, ${source.file}:${source.line}`;
  return [
    `${MARKS[rule.verdict]}: ${rule.name} (${place})`,
    ...(rule.reason === undefined ? [] : [`    ${rule.reason}`]),
    ...rule.matches.flatMap((match) => formatMatch(match)),
  ];
}

function formatMatch(match: MatchExplanation): readonly string[] {
  if (match.verdict === 'never') return [`    ${match.path}: never here: ${match.reason ?? ''}`];
  if (match.conditions.length === 0) return [`    ${match.path === '' ? 'no condition' : `${match.path}: no condition`}`];
  return match.conditions.map(({ what, expected, found, holds }) => {
    const value = found === null ? 'none' : JSON.stringify(found);
    return `    ${match.path}: ${what} ${expected}: ${holds ? 'yes' : 'no'}, the request has ${value}`;
  });
}

function formatOutcome({ outcome, answer, forward, listener, request }: Explanation): readonly string[] {
  switch (outcome) {
    case 'noListener':
      return [`there is no listener ${listener}`];
    case 'noVirtualHost':
      return [`404 (NR): nothing here serves the host ${JSON.stringify(request.authority)}`];
    case 'noRoute':
      return ['404 (NR): no rule takes this request'];
    case 'redirect':
      return [`answered with ${answer?.status}, Location: ${answer?.location ?? ''}`];
    case 'directResponse':
      return [`answered with ${answer?.status}, ${answer?.bodyBytes ?? 0} bytes`];
    default:
      return forward === undefined ? [] : formatForward(forward);
  }
}

function formatForward({
  clusters,
  assignment,
  path,
  timeoutMs,
  isUnlimited,
  retries,
  session,
  fault,
  mirrors = [],
}: ForwardExplanation): readonly string[] {
  // Istio's default is none; a version that never begins to answer is given up all the same.
  const silence = isUnlimited === true ? '' : `; the answer must begin within ${RESPONSE_HEADER_TIMEOUT_MS / 1000} s`;
  const timeout = timeoutMs === 0 ? `none${silence}` : `${timeoutMs} ms`;
  return [
    ...clusters.flatMap(formatCluster),
    ...(assignment === undefined ? [] : [formatAssignment(assignment)]),
    `path sent: ${path}`,
    `timeout: ${timeout}`,
    `retries: ${retries}`,
    ...(session === undefined ? [] : [`session: ${session}`]),
    ...(fault === undefined ? [] : [`faults injected: ${fault}`]),
    ...mirrors.flatMap(formatMirror),
  ];
}

function formatAssignment({ by, user, bucket, cluster }: AssignmentExplanation): string {
  const keys = by.join(', else ');
  if (user === null) return `users are known by ${keys}: this request names nobody, so it is drawn at random`;
  return `users are known by ${keys}: ${user.by} ${JSON.stringify(user.value)} is in bucket ${bucket} of ${BUCKETS}, which goes to ${cluster}`;
}

function formatMirror(mirror: MirrorExplanation): readonly string[] {
  return [
    `a copy of ${mirror.percent} % to ${mirror.name}, Host ${mirror.authority}; its answers are dropped`,
    `    endpoints: ${describeEndpoints(mirror)}`,
  ];
}

function formatFallback({ fallback }: ClusterExplanation): readonly string[] {
  if (fallback === undefined) return [];
  const failures = ['no connection', 'no answer', ...fallback.statusCodes].join(', ');
  return [`    falls back: an idempotent request that fails here (${failures}) is answered by ${fallback.to}`];
}

function formatCluster(cluster: ClusterExplanation): readonly string[] {
  return [
    `${Math.round(cluster.share * 1000) / 10} % to ${cluster.name}, Host ${cluster.authority}`,
    `    endpoints: ${describeEndpoints(cluster)} (${cluster.loadBalancer})`,
    ...(cluster.http2 === undefined ? [] : [`    spoken to in ${describeHttp2(cluster.http2)}`]),
    ...(cluster.path === undefined ? [] : [`    path sent: ${cluster.path}`]),
    ...(cluster.location === undefined ? [] : [`    answered with Location: ${cluster.location}`]),
    ...(cluster.mirrors ?? []).flatMap(formatMirror).map((line) => `    ${line}`),
    ...formatFallback(cluster),
    ...cluster.policies.map((policy) => `    ${policy}`),
    ...cluster.requestHeaders.map((line) => `    request header: ${line}`),
    ...cluster.responseHeaders.map((line) => `    response header: ${line}`),
  ];
}
