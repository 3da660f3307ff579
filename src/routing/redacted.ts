/** Routes in words and explanations without secrets: those that rules ask for or hand on, and those of the request that is asked about. */
import { isSecretField, REDACTED } from '../config/redact.ts';
import { isSecretParameter, redactTarget } from '../telemetry/redact.ts';
import type { ConditionExplanation, Explanation, ForwardExplanation } from './explanation.ts';

/** `set authorization: Bearer x`, as `describeOps` writes it and `printTable` puts it into a line. */
const OPERATION = /^(?<head>\s*(?:(?:request|response) )?(?:set|add) (?<name>[^\s:]+): ).+$/s;
/** `header x-api-key exact "x"`, as `describeMatch` writes it. */
const CONDITION = /\b(?<head>(?<what>header|query) (?<name>\S+) (?:not )?(?:exact|prefix|regex) )"(?:[^"\\]|\\.)*"/g;

/** A line of a printed route. */
export function redactedLine(line: string): string {
  const { head, name = '' } = OPERATION.exec(line)?.groups ?? {};
  if (head !== undefined && isSecretField(name)) return `${head}${REDACTED}`;
  return line
    .replace(CONDITION, (whole, start: string, what: string, field: string) => {
      // A cookie that a rule asks for is a name of a cohort, not a session.
      const isSecret = what === 'query' ? isSecretParameter(field) : isSecretField(field) && field !== 'cookie';
      return isSecret ? `${start}"${REDACTED}"` : whole;
    })
    .replace(/\?[^\s"]+/g, redactTarget);
}

/** Lines of something before a change, or after it, where those that differ in a secret can be told to. @param others Of the other side. */
export function redactedLines(lines: readonly string[], others: readonly string[], side: 'before' | 'after'): string[] {
  const same = new Set(others);
  return lines.map((line) => {
    const clean = redactedLine(line);
    return clean === line || same.has(line) ? clean : `${clean} (${side})`;
  });
}

export function redactedExplanation(explanation: Explanation): Explanation {
  const { request, answer, rules, forward, requestHeaders, responseHeaders } = explanation;
  return {
    ...explanation,
    request: { ...request, query: redactTarget(`?${request.query}`).slice(1) },
    ...(answer?.location === undefined ? {} : { answer: { ...answer, location: redactTarget(answer.location) } }),
    rules: rules.map((rule) => ({
      ...rule,
      matches: rule.matches.map((match) => ({ ...match, conditions: match.conditions.map(redactedCondition) })),
    })),
    requestHeaders: requestHeaders.map(redactedLine),
    responseHeaders: responseHeaders.map(redactedLine),
    ...(forward === undefined ? {} : { forward: redactedForward(forward) }),
  };
}

function redactedCondition({ what, expected, found, holds }: ConditionExplanation): ConditionExplanation {
  const [kind, name = ''] = what.split(' ', 2);
  const isSecret = (kind === 'header' && isSecretField(name)) || (kind === 'query' && isSecretParameter(name));
  const shown = found === null ? null : isSecret ? REDACTED : name === ':path' ? redactTarget(found) : found;
  return { what, expected: redactedLine(`${what} ${expected}`).slice(what.length + 1), found: shown, holds };
}

function redactedForward(forward: ForwardExplanation): ForwardExplanation {
  const { clusters, assignment, path } = forward;
  const user = assignment?.user ?? null;
  // `cookie session`; `source address` is none.
  const isSecret = user !== null && isSecretParameter(user.by.split(' ')[1] ?? '');
  return {
    ...forward,
    path: redactTarget(path),
    clusters: clusters.map((cluster) => ({
      ...cluster,
      requestHeaders: cluster.requestHeaders.map(redactedLine),
      responseHeaders: cluster.responseHeaders.map(redactedLine),
    })),
    ...(assignment === undefined ? {} : { assignment: isSecret ? { ...assignment, user: { by: user.by, value: REDACTED } } : assignment }),
  };
}
