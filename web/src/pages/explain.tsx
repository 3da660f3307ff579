/** Which rule takes a request, why the others do not, and where it goes: asked of the routing itself, without sending anything. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { messageOf, post } from '../data/api.ts';
import { parseCurl } from '../data/curl.ts';
import { services } from '../data/events.ts';
import { percent } from '../data/format.ts';
import type { ExplainAnswer, Explanation } from '../data/types.ts';

const EXAMPLE = "curl -H 'end-user: jason' http://reviews/reviews/0";

export function Explain(): JSX.Element {
  const [command, setCommand] = useState('');
  const [answer, setAnswer] = useState<ExplainAnswer | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const explain = async (text: string): Promise<void> => {
    setProblem('');
    try {
      const { url, method, headers } = parseCurl(text);
      setAnswer(await post<ExplainAnswer>('/api/v1/explain', { url, headers, ...(method === undefined ? {} : { method }) }));
    } catch (error) {
      setProblem(messageOf(error));
      setAnswer(undefined);
    }
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    void explain(command.trim() === '' ? EXAMPLE : command);
  };
  return (
    <>
      <header class="page">
        <h1>Explain a request</h1>
      </header>
      <div class="ask">
        <form class="card" onSubmit={submit}>
          <label>
            A request, as a URL or a curl command
            <textarea
              name="request"
              rows={4}
              spellcheck={false}
              placeholder={EXAMPLE}
              value={command}
              onInput={(event) => setCommand(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit(event);
              }}
            />
          </label>
          <button type="submit" class="primary">
            Explain
          </button>
        </form>
        <UserLookup
          onAsk={(text) => {
            setCommand(text);
            void explain(text);
          }}
        />
      </div>
      <div aria-live="polite">
        {problem !== '' && <p class="problem">{problem}</p>}
        {answer !== undefined && <Answered answer={answer} />}
      </div>
    </>
  );
}

/** "Which version does user X get?" is a request with that user's header or cookie. */
function UserLookup({ onAsk }: { readonly onAsk: (command: string) => void }): JSX.Element {
  const [service, setService] = useState('');
  const [place, setPlace] = useState('header');
  const [field, setField] = useState('end-user');
  const [user, setUser] = useState('');
  const names = [...services.value.values()].map(({ host, name, namespace }) => ({ host, name: namespace === 'default' ? name : host }));
  const submit = (event: Event): void => {
    event.preventDefault();
    const chosen = service === '' ? (names[0]?.name ?? '') : service;
    const line = place === 'header' ? `${field}: ${user}` : `cookie: ${field}=${user}`;
    onAsk(`curl -H '${line.replaceAll("'", String.raw`'\''`)}' http://${chosen}/`);
  };
  return (
    <form class="card" onSubmit={submit}>
      <fieldset>
        <legend>Which version does a user get?</legend>
        <label>
          Service
          <select
            name="service"
            value={service === '' ? (names[0]?.name ?? '') : service}
            onChange={(event) => setService(event.currentTarget.value)}
          >
            {names.map(({ host, name }) => (
              <option key={host}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Known by
          <select name="place" value={place} onChange={(event) => setPlace(event.currentTarget.value)}>
            <option value="header">header</option>
            <option value="cookie">cookie</option>
          </select>
        </label>
        <label>
          Named
          <input name="field" value={field} onInput={(event) => setField(event.currentTarget.value)} required />
        </label>
        <label>
          User
          <input name="user" value={user} placeholder="jason" onInput={(event) => setUser(event.currentTarget.value)} required />
        </label>
      </fieldset>
      <button type="submit">Look up</button>
    </form>
  );
}

const OUTCOMES: Readonly<Record<Explanation['outcome'], string>> = {
  forward: 'is forwarded',
  redirect: 'is redirected',
  directResponse: 'is answered by Serin',
  noListener: 'reaches no listener',
  noVirtualHost: 'is for a host nobody serves: 404',
  noRoute: 'matches no rule: 404',
};

function Answered({ answer: { considered, explanation } }: { readonly answer: ExplainAnswer }): JSX.Element {
  const { request, outcome, listener, virtualHost, rules, forward, answer, requestHeaders, responseHeaders, cors } = explanation;
  const target = `${request.scheme}://${request.authority}${request.path}${request.query === undefined || request.query === '' ? '' : `?${request.query}`}`;
  return (
    <section class="answer">
      <h2>
        <code>
          {request.method} {target}
        </code>{' '}
        {OUTCOMES[outcome]}
      </h2>
      <p class="sub">
        on listener {listener}
        {considered.length > 1 &&
          ` (also asked: ${considered.flatMap((each) => (each.listener === listener ? [] : [each.listener])).join(', ')})`}
        {virtualHost !== undefined && `, virtual host ${virtualHost.name} by its domain ${virtualHost.domain}`}
      </p>
      {answer !== undefined && (
        <p class="message">
          {answer.status}
          {answer.location !== undefined && ` to ${answer.location}`}
          {answer.responseFlag !== undefined && `, flag ${answer.responseFlag}`}
        </p>
      )}
      {forward !== undefined && <Forward forward={forward} />}
      <Words title="Header operations on the request" lines={requestHeaders} />
      <Words title="Header operations on the response" lines={responseHeaders} />
      {cors !== undefined && <Words title="CORS" lines={[cors]} />}
      {rules.length > 0 && (
        <>
          <h3>Rules, in the order in which they are asked</h3>
          <ol class="rules">
            {rules.map((rule) => (
              <Rule key={`${rule.name} ${rule.source.path}`} rule={rule} />
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

function Words({ title, lines }: { readonly title: string; readonly lines: readonly string[] }): JSX.Element | null {
  return lines.length === 0 ? null : (
    <p>
      <b>{title}:</b> {lines.join('; ')}
    </p>
  );
}

function Forward({ forward }: { readonly forward: NonNullable<Explanation['forward']> }): JSX.Element {
  const { clusters, path, timeoutMs, retries, fault, mirrors = [], assignment } = forward;
  return (
    <>
      <ul class="tiles">
        {clusters.map((cluster) => (
          <li key={cluster.name} class={cluster.missing === undefined ? '' : 'bad'}>
            <strong>
              {percent(cluster.share)} to {cluster.subset === '' ? cluster.host : cluster.subset}
            </strong>
            <span>
              {cluster.missing ??
                `${cluster.endpoints.map(({ address, port }) => `${address}:${port}`).join(', ') || 'no endpoint'} (${cluster.loadBalancer})`}
            </span>
            {cluster.policies.map((policy) => (
              <span key={policy}>{policy}</span>
            ))}
            {cluster.fallback !== undefined && <span>failures are answered by {cluster.fallback.to}</span>}
          </li>
        ))}
      </ul>
      {assignment !== undefined && <p class="message">{assignmentWords(assignment)}</p>}
      <dl class="facts">
        <dt>Path sent</dt>
        <dd>
          <code>{path}</code>
        </dd>
        <dt>Timeout</dt>
        <dd>{timeoutMs === 0 ? 'none; the answer must begin within 30 s' : `${timeoutMs} ms`}</dd>
        <dt>Retries</dt>
        <dd>{retries}</dd>
        {fault !== undefined && (
          <>
            <dt>Fault</dt>
            <dd>{fault}</dd>
          </>
        )}
        {mirrors.map((mirror) => (
          <>
            <dt>Mirror</dt>
            <dd>
              {mirror.percent} % to {mirror.name}
            </dd>
          </>
        ))}
      </dl>
    </>
  );
}

function assignmentWords({ by, user, bucket, cluster }: NonNullable<NonNullable<Explanation['forward']>['assignment']>): string {
  const keys = by.join(', else ');
  if (user === null) return `Users keep their version, by ${keys}. This request names nobody, so it is drawn at random.`;
  const [, , subset, host] = cluster?.split('|') ?? [];
  return `Users keep their version, by ${keys}. ${user.by} “${user.value}” is in bucket ${bucket} of 10,000, which belongs to ${subset === '' ? host : subset}.`;
}

function Rule({ rule }: { readonly rule: Explanation['rules'][number] }): JSX.Element {
  const { name, source, verdict, reason, matches } = rule;
  return (
    <li class={verdict === 'taken' ? 'good' : ''}>
      <strong>
        {verdict === 'taken'
          ? 'takes it'
          : verdict === 'lost'
            ? 'does not match'
            : verdict === 'unreachable'
              ? 'is never reached'
              : 'not asked'}
      </strong>{' '}
      {name}{' '}
      <small>
        {source.kind} {source.namespace}/{source.name} {source.path}
        {source.file !== undefined && ` (${source.file}:${source.line})`}
      </small>
      {reason !== undefined && <p class="sub">{reason}</p>}
      {matches.flatMap((match) =>
        match.conditions.map((condition) => (
          <p key={`${match.path} ${condition.what}`} class={condition.holds ? 'holds' : 'fails'}>
            <span aria-hidden="true">{condition.holds ? '✓' : '✗'}</span> {condition.what} {condition.expected}
            {': '}
            {condition.found === null ? 'the request has none' : `the request has “${condition.found}”`}
          </p>
        )),
      )}
    </li>
  );
}
