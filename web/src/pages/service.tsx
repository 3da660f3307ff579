/** One service: its versions over the last minutes, where they run, and its weights by hand. */
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import type { LiveService, LiveVersion } from '../../../src/admin/live-types.ts';
import { put, remove, segment } from '../data/api.ts';
import { history, rollouts, services, totals } from '../data/events.ts';
import type { RolloutStatus } from '../data/types.ts';
import { millis, percent, percentOf100, rate } from '../data/format.ts';
import { href } from '../data/router.ts';
import { mayOperate } from '../data/session.ts';
import { color, palette } from '../data/theme.ts';
import { Chart, type ChartSeries } from '../parts/chart.tsx';
import { ask } from '../parts/confirm.tsx';
import { Log } from '../parts/log.tsx';
import { useAnswer } from '../parts/use-answer.ts';
import { errorRatio, Health, severity, SplitBar, versionClass, versionName } from '../parts/versions.tsx';

export function Service({ host }: { readonly host: string }): JSX.Element {
  const service = services.value.get(host);
  if (service === undefined) {
    return (
      <section class="empty">
        <h1>{host}</h1>
        <p>{totals.value === undefined ? 'Waiting for Serin…' : 'There is no such service in what is in force.'}</p>
        <a href={href()}>To the traffic</a>
      </section>
    );
  }
  return (
    <>
      <header class="page">
        <div>
          <a class="up" href={href()}>
            Traffic
          </a>
          <h1>{service.name}</h1>
          <p class="sub">{service.host}</p>
        </div>
        <Releases host={host} />
        {mayOperate() && service.versions.length > 1 && <ShiftButton service={service} />}
      </header>
      <SplitBar service={service} />
      <Versions service={service} />
      <Charts host={host} />
      <Endpoints host={host} />
      <Processes host={host} />
    </>
  );
}

function Releases({ host }: { readonly host: string }): JSX.Element | null {
  const own = [...(rollouts.value?.values() ?? [])].filter(({ status }) => isOf(status, host));
  return own.length === 0 ? null : (
    <p class="sub">
      {own.map(({ metadata, status }) => (
        <a key={metadata.name} class={`badge ${status.phase.toLowerCase()}`} href={href('releases', metadata.namespace, metadata.name)}>
          Release {metadata.name}: {status.phase}
        </a>
      ))}
    </p>
  );
}

/** Whether a release is of the service, or of a route with the service as one of its versions. */
function isOf({ host: released, route, stable, canary, canaries = [] }: RolloutStatus, host: string): boolean {
  if (route === undefined) return released === host;
  return [stable, canary, ...canaries].some((version) => host === `${version}.${route.namespace}.svc.cluster.local`);
}

function Versions({ service }: { readonly service: LiveService }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Versions">
      <table>
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">Requests</th>
            <th scope="col">Share</th>
            <th scope="col">Weight</th>
            <th scope="col">Errors</th>
            <th scope="col">p50</th>
            <th scope="col">p90</th>
            <th scope="col">p99</th>
            <th scope="col">In flight</th>
            <th scope="col">Endpoints</th>
          </tr>
        </thead>
        <tbody>
          {service.versions.map((version) => (
            <tr key={version.subset} class={versionClass(version, service)}>
              <th scope="row" class="name">
                <i aria-hidden="true" /> {versionName(version)} {version.role !== null && <em>{version.role}</em>}
              </th>
              <td>{rate(version.requestsPerSecond)}</td>
              <td>{percent(version.share)}</td>
              <td>{percentOf100(version.weightPercent)}</td>
              <td class={severity(errorRatio(version))}>{percent(errorRatio(version))}</td>
              <td>{millis(version.p50Ms)}</td>
              <td>{millis(version.p90Ms)}</td>
              <td>{millis(version.p99Ms)}</td>
              <td>{version.activeRequests}</td>
              <td>
                <Health version={version} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const COLOURS = ['v0', 'v1', 'v2', 'v3', 'v4'];

function colourOf(version: LiveVersion, service: LiveService): string {
  return color(
    versionClass(version, service)
      .slice('v-'.length)
      .replace(/^\d$/, (digit) => COLOURS[Number(digit)] ?? 'v0'),
  );
}

function Charts({ host }: { readonly host: string }): JSX.Element {
  const now = services.value.get(host);
  const samples = history.samples;
  const latest = samples.at(-1)?.atMs;
  const colours = palette.value;
  const drawn = useMemo(() => {
    const times = samples.map(({ atMs }) => atMs / 1000);
    const versions = now?.versions ?? [];
    const columns = (of: (version: LiveVersion) => number | null): uPlot.AlignedData => [
      times,
      ...versions.map(({ subset }) =>
        samples.map(({ services: then }) => {
          const version = then.get(host)?.versions.find((other) => other.subset === subset);
          return version === undefined ? null : of(version);
        }),
      ),
    ];
    const series: ChartSeries[] = versions.map((version) => ({
      label: versionName(version),
      stroke: now === undefined ? '' : colourOf(version, now),
      width: 2,
      points: { show: false },
    }));
    return {
      series,
      requests: columns((version) => version.requestsPerSecond),
      errors: columns(errorRatio),
      p50: columns((version) => version.p50Ms),
      p99: columns((version) => version.p99Ms),
    };
  }, [latest, host, colours]);
  return (
    <section class="charts" aria-label="The last five minutes">
      <Figure title="Requests" data={drawn.requests} series={drawn.series} format={rate} />
      <Figure title="Errors" data={drawn.errors} series={drawn.series} format={percent} />
      <Figure title="Median latency" data={drawn.p50} series={drawn.series} format={millis} />
      <Figure title="99th percentile" data={drawn.p99} series={drawn.series} format={millis} />
    </section>
  );
}

interface FigureProps {
  readonly title: string;
  readonly data: uPlot.AlignedData;
  readonly series: readonly ChartSeries[];
  readonly format: (value: number) => string;
}

function Figure({ title, ...chart }: FigureProps): JSX.Element {
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <Chart label={`${title} of each version, the last minutes; the table above has the figures`} {...chart} />
    </figure>
  );
}

interface Listed<Item> {
  readonly items: readonly Item[];
}

interface EndpointItem {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly host: string; readonly subset: string; readonly weight: number };
  readonly status: { readonly healthy: boolean; readonly checked: boolean; readonly ejected?: boolean; readonly detail?: string };
}

/** Asked for again every few seconds: health is not in the stream by endpoint. */
function everySeconds(seconds: number): number {
  return Math.floor((history.samples.at(-1)?.atMs ?? 0) / (seconds * 1000));
}

function Endpoints({ host }: { readonly host: string }): JSX.Element {
  const { value, problem } = useAnswer<Listed<EndpointItem>>('/api/v1/endpoints', everySeconds(3));
  const own = value?.items.filter(({ spec }) => spec.host === host) ?? [];
  return (
    <section>
      <h2>Endpoints</h2>
      {problem !== '' && <p class="problem">{problem}</p>}
      {own.length === 0 ? (
        <p class="sub">none</p>
      ) : (
        <ul class="tiles">
          {own.map(({ metadata, spec, status }) => (
            <li key={`${spec.subset} ${metadata.name}`} class={status.ejected === true || !status.healthy ? 'bad' : 'good'}>
              <code>{metadata.name}</code> {spec.subset}
              <span>
                {status.ejected === true ? 'ejected' : status.healthy ? (status.checked ? 'healthy' : 'not checked') : 'unhealthy'}
                {status.detail !== undefined && `: ${status.detail}`}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

interface ProcessItem {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly host: string; readonly subset?: string; readonly command?: unknown };
  readonly status: { readonly phase: string; readonly pid?: number; readonly restarts: number; readonly detail?: string };
}

function Processes({ host }: { readonly host: string }): JSX.Element | null {
  const { value } = useAnswer<Listed<ProcessItem>>('/api/v1/processes', everySeconds(3));
  const [shown, show] = useState<string | undefined>(undefined);
  const own = value?.items.filter(({ spec }) => spec.host === host) ?? [];
  if (own.length === 0) return null;
  return (
    <section>
      <h2>Processes</h2>
      <ul class="tiles">
        {own.map(({ metadata: { name }, status }) => (
          <li key={name} class={status.phase === 'ready' ? 'good' : 'warn'}>
            <code>{name}</code>
            <span>
              {status.phase}
              {status.pid !== undefined && `, pid ${status.pid}`}
              {status.restarts > 0 && `, ${status.restarts} restarts`}
              {status.detail !== undefined && status.detail !== '' && `: ${status.detail}`}
            </span>
            <button type="button" class="quiet" aria-expanded={shown === name} onClick={() => show(shown === name ? undefined : name)}>
              Output
            </button>
          </li>
        ))}
      </ul>
      {shown !== undefined && <Log process={shown} key={shown} />}
    </section>
  );
}

function ShiftButton({ service }: { readonly service: LiveService }): JSX.Element {
  const subsets = service.versions.filter(({ subset, weightPercent }) => subset !== '' && weightPercent !== null);
  const path = `/api/v1/shifts/${segment(service.namespace)}/${segment(service.name)}`;
  const shift = (): void => {
    const weights: Record<string, number> = Object.fromEntries(
      subsets.map(({ subset, weightPercent }) => [subset, Math.round(weightPercent ?? 0)]),
    );
    ask({
      title: `Shift ${service.name} by hand`,
      verb: 'Shift',
      asksReason: true,
      text: (
        <>
          <p>Weights are relative. They stay, over restarts too, until they are shifted again or reset; files are not changed.</p>
          {subsets.map(({ subset }) => (
            <label key={subset}>
              {subset}
              <input
                type="number"
                min={0}
                max={1_000_000}
                defaultValue={weights[subset]}
                onInput={(event) => (weights[subset] = event.currentTarget.valueAsNumber)}
                required
              />
            </label>
          ))}
        </>
      ),
      perform: (reason) => put(path, { weights, ...(reason === '' ? {} : { reason }) }),
    });
  };
  const reset = (): void =>
    ask({
      title: `Back to the files for ${service.name}`,
      text: <p>What was shifted by hand is dropped: the weights of the files are in force again.</p>,
      verb: 'Reset',
      asksReason: false,
      perform: () => remove(path),
    });
  return (
    <div class="buttons">
      <button type="button" onClick={shift} disabled={subsets.length < 2}>
        Shift…
      </button>
      <button type="button" class="quiet" onClick={reset}>
        Reset…
      </button>
    </div>
  );
}
