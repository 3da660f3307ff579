/** What is in force and where it comes from: files and lines with what is to say about them, and what releases and shifts have laid over them. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { ApiDiagnostic } from '../../../src/admin/diagnostic-types.ts';
import type { Configuration as InForce, ConfigurationHistory, Origin, ResourceSource } from '../../../src/admin/resource-types.ts';
import { segment } from '../data/api.ts';
import { configuration } from '../data/events.ts';
import { dateTime } from '../data/format.ts';
import { href } from '../data/router.ts';
import { Conditions } from '../parts/conditions.tsx';
import { useAnswer } from '../parts/use-answer.ts';

export function Configuration({ selected }: { readonly selected: readonly string[] }): JSX.Element {
  const summary = configuration.value;
  const news = `${summary?.version} ${summary?.reload.at} ${summary?.reload.successful} ${summary?.warnings}`;
  const { value, problem } = useAnswer<InForce>('/api/v1/configuration', news);
  const [kind, namespace, name] = selected;
  return (
    <>
      <header class="page">
        <div>
          <h1>Configuration</h1>
          {value !== undefined && (
            <p class="sub">
              version <code>{value.version.slice(0, 12)}</code>, in force since {dateTime(value.at)}
            </p>
          )}
        </div>
      </header>
      {problem !== '' && <p class="problem">{problem}</p>}
      {value?.refused != null && (
        <section class="message degraded" role="alert">
          <b>The files as they are now are refused, since {dateTime(value.refused.at)}.</b> What is in force is the last good configuration.
          <Diagnostics diagnostics={value.refused.diagnostics} />
        </section>
      )}
      <div class="two">
        <Resources resources={value?.resources ?? []} selected={selected} />
        <div>
          {kind !== undefined && namespace !== undefined && name !== undefined ? (
            <Source kind={kind} namespace={namespace} name={name} news={news} />
          ) : (
            <>
              <section>
                <h2>Warnings</h2>
                {value !== undefined && value.diagnostics.length === 0 ? (
                  <p class="sub">None.</p>
                ) : (
                  <Diagnostics diagnostics={value?.diagnostics ?? []} />
                )}
              </section>
              <ChangeHistory news={news} />
            </>
          )}
        </div>
      </div>
    </>
  );
}

function Diagnostics({ diagnostics }: { readonly diagnostics: readonly ApiDiagnostic[] }): JSX.Element {
  return (
    <ul class="diagnostics">
      {diagnostics.map((one) => (
        <li key={`${one.file}:${one.line} ${one.code} ${one.message}`} class={one.severity === 'error' ? 'bad' : 'warn'}>
          <code>
            {one.file}:{one.line}
          </code>{' '}
          {one.message} <small>{one.code}</small>
          {one.hint !== undefined && <p class="sub">{one.hint}</p>}
        </li>
      ))}
    </ul>
  );
}

function Resources({
  resources,
  selected,
}: {
  readonly resources: InForce['resources'];
  readonly selected: readonly string[];
}): JSX.Element {
  const [filter, setFilter] = useState('');
  const shown = resources.filter(({ apiKind, namespace, name }) =>
    `${apiKind} ${namespace}/${name}`.toLowerCase().includes(filter.trim().toLowerCase()),
  );
  return (
    <nav class="resources" aria-label="Resources">
      <label>
        <span class="visually-hidden">Filter resources</span>
        <input type="search" placeholder="Filter  ( / )" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
      </label>
      <ul>
        {shown.slice(0, MAX_LISTED).map(({ kind, apiKind, namespace, name, origin, overlaid, diagnostics }) => {
          const path = [kind, namespace === '' ? NO_NAMESPACE : namespace, name];
          return (
            <li key={path.join('/')}>
              <a
                href={href('configuration', ...path)}
                aria-current={path.every((part, index) => selected[index] === part) ? 'page' : undefined}
              >
                <small>{apiKind.replace(/^.* /, '')}</small> {namespace === 'default' || namespace === '' ? name : `${namespace}/${name}`}
                {overlaid && <span class="badge progressing">overlaid</span>}
                {diagnostics > 0 && <span class="badge paused">{diagnostics}</span>}
                <small>{originWords(origin)}</small>
              </a>
            </li>
          );
        })}
      </ul>
      {shown.length > MAX_LISTED && <p class="sub">and {shown.length - MAX_LISTED} more: filter to see them</p>}
    </nav>
  );
}

const MAX_LISTED = 200;
/** In addresses, of kinds that belong to none. */
const NO_NAMESPACE = '-';

function originWords(origin: Origin): string {
  if ('file' in origin) return `${origin.file.replace(/^.*\//, '')}:${origin.line}`;
  return 'api' in origin ? `applied by ${origin.by}` : `laid over the files by ${origin.by}`;
}

interface SourceProps {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly news: string;
}

function Source({ kind, namespace, name, news }: SourceProps): JSX.Element {
  const { value, problem } = useAnswer<ResourceSource>(
    `/api/v1/resources/${segment(kind)}/${segment(namespace)}/${segment(name)}/source`,
    news,
  );
  return (
    <section>
      <a class="up" href={href('configuration')}>
        Warnings and history
      </a>
      <h2>{namespace === NO_NAMESPACE ? name : `${namespace}/${name}`}</h2>
      {problem !== '' && <p class="problem">{problem}</p>}
      {value !== undefined && (
        <>
          <Conditions conditions={value.conditions} />
          <Differences differences={value.differences} />
          <h3>
            <code>
              {value.file}:{value.line}
            </code>
          </h3>
          <Text text={value.text} first={value.line} diagnostics={value.diagnostics} />
          <details>
            <summary>As it is in force</summary>
            <pre class="source" tabIndex={0}>
              {JSON.stringify(value.effective, undefined, 2)}
            </pre>
          </details>
        </>
      )}
    </section>
  );
}

function Differences({ differences }: { readonly differences: ResourceSource['differences'] }): JSX.Element {
  if (differences.length === 0) return <p class="sub">In force as written.</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="What is in force and not in the file">
      <table>
        <caption>What is in force otherwise than written</caption>
        <thead>
          <tr>
            <th scope="col">Where</th>
            <th scope="col">Written</th>
            <th scope="col">In force</th>
            <th scope="col">By</th>
          </tr>
        </thead>
        <tbody>
          {differences.map(({ path, declared, effective, by }) => (
            <tr key={path}>
              <th scope="row">
                <code>{path}</code>
              </th>
              <td class="was">{shown(declared)}</td>
              <td class="is">{shown(effective)}</td>
              <td>{by}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function shown(value: unknown): JSX.Element {
  return value === undefined || value === null ? (
    <span class="sub">–</span>
  ) : (
    <code>{typeof value === 'string' ? value : JSON.stringify(value)}</code>
  );
}

/** The document as written, with what is to say about a line under that line. */
function Text({
  text,
  first,
  diagnostics,
}: {
  readonly text: string;
  readonly first: number;
  readonly diagnostics: readonly ApiDiagnostic[];
}): JSX.Element {
  return (
    <div class="source" tabIndex={0} role="region" aria-label="Source">
      {text.split('\n').map((line, index) => {
        const number = first + index;
        const own = diagnostics.filter((one) => one.line === number);
        return (
          <div key={number} class={own.length === 0 ? 'line' : 'line marked'}>
            <span class="number">{number}</span>
            <code>{line}</code>
            {own.map((one) => (
              <p key={one.message} class={one.severity === 'error' ? 'bad' : 'warn'}>
                {one.message} <small>{one.code}</small>
              </p>
            ))}
          </div>
        );
      })}
    </div>
  );
}

function ChangeHistory({ news }: { readonly news: string }): JSX.Element {
  const { value } = useAnswer<ConfigurationHistory>('/api/v1/configuration/history', news);
  return (
    <section>
      <h2>History</h2>
      <ol class="decisions">
        {value?.items.map(({ at, version, cause, by, changes }) => (
          <li key={`${at} ${version}`}>
            <time dateTime={at}>{dateTime(at)}</time>
            <div>
              {changes.map((change) => (
                <p key={change}>{change}</p>
              ))}
              <p class="sub">
                {cause}
                {by !== '' && ` by ${by}`}, version {version.slice(0, 12)}
              </p>
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}
