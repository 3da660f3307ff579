/**
 * The live picture: listeners, the services they lead to, and the versions of each, with the traffic on the edges. Of many services only those in sight
 * are drawn: rows have known heights, so a thousand cost as much as twenty.
 */
import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LiveListener, LiveService, LiveVersion } from '../../../src/admin/live-types.ts';
import { connection, history, listeners, services, totals } from '../data/events.ts';
import { count, millis, percent, percentOf100, rate } from '../data/format.ts';
import { href } from '../data/router.ts';
import { errorRatio, Health, severity, SplitBar, versionClass, versionName } from '../parts/versions.tsx';

const VERSION_PX = 66;
const GAP_PX = 22;
/** On a narrow screen versions stand under their service. */
const NARROW = { belowPx: 720, servicePx: 82, versionPx: 102 } as const;
/** Drawn beyond the edges of the window. */
const OVERSCAN_PX = 400;

const filter = signal('');
const order = signal<'name' | 'traffic' | 'errors'>('name');

interface Row {
  readonly service: LiveService;
  readonly top: number;
  readonly height: number;
}

export function Traffic(): JSX.Element {
  const all = services.value;
  const shown = ordered([...all.values()]);
  const now = totals.value;
  return (
    <>
      <h1 class="visually-hidden">Traffic</h1>
      <section class="totals" aria-label="All services">
        <Total
          name="Requests"
          value={now === undefined ? '–' : rate(now.requestsPerSecond)}
          trend={trend((service) => service.requestsPerSecond)}
        />
        <Total
          name="Errors"
          value={now === undefined ? '–' : percent(now.requestsPerSecond > 0 ? now.errorsPerSecond / now.requestsPerSecond : 0)}
          tone={severity(now === undefined || now.requestsPerSecond === 0 ? null : now.errorsPerSecond / now.requestsPerSecond)}
          trend={trend((service) => service.errorsPerSecond)}
        />
        <Total name="In flight" value={now === undefined ? '–' : count(now.activeRequests)} />
        <Total name="Services" value={String(all.size)} />
        <div class="tools">
          <label>
            <span class="visually-hidden">Filter services</span>
            <input
              type="search"
              placeholder="Filter  ( / )"
              value={filter.value}
              onInput={(event) => (filter.value = event.currentTarget.value)}
            />
          </label>
          <label>
            <span class="visually-hidden">Order</span>
            <select value={order.value} onChange={(event) => (order.value = event.currentTarget.value as typeof order.value)}>
              <option value="name">by name</option>
              <option value="traffic">by traffic</option>
              <option value="errors">by errors</option>
            </select>
          </label>
        </div>
      </section>
      {all.size === 0 ? (
        <Nothing />
      ) : shown.length === 0 ? (
        <p class="empty">No service has “{filter.value}” in its name.</p>
      ) : (
        <Picture shown={shown} />
      )}
    </>
  );
}

function Nothing(): JSX.Element {
  return connection.value.state === 'live' && totals.value !== undefined ? (
    <p class="empty">No service is configured yet: write a file with services: in it, and it appears here.</p>
  ) : (
    <p class="empty">Waiting for Serin…</p>
  );
}

interface TotalProps {
  readonly name: string;
  readonly value: string;
  readonly tone?: string;
  readonly trend?: string;
}

function Total({ name, value, tone = '', trend: points }: TotalProps): JSX.Element {
  return (
    <div class={`total ${tone}`}>
      <span>{name}</span>
      <strong>{value}</strong>
      {points !== undefined && (
        <svg viewBox="0 0 120 24" preserveAspectRatio="none" aria-hidden="true">
          <polyline points={points} />
        </svg>
      )}
    </div>
  );
}

/** The last two minutes as a line. */
function trend(of: (service: LiveService) => number): string {
  const samples = history.samples.slice(-120);
  const values = samples.map((sample) => {
    let sum = 0;
    for (const service of sample.services.values()) sum += of(service);
    return sum;
  });
  const most = Math.max(1e-9, ...values);
  const left = 120 - values.length;
  return values.map((value, index) => `${left + index},${(23 - (value / most) * 21).toFixed(1)}`).join(' ');
}

function ordered(all: LiveService[]): LiveService[] {
  const wanted = filter.value.trim().toLowerCase();
  const shown = wanted === '' ? all : all.filter(({ host }) => host.toLowerCase().includes(wanted));
  const by: Record<typeof order.value, (a: LiveService, b: LiveService) => number> = {
    name: () => 0,
    traffic: (a, b) => b.requestsPerSecond - a.requestsPerSecond,
    errors: (a, b) => b.errorsPerSecond - a.errorsPerSecond,
  };
  return shown.sort((a, b) => by[order.value](a, b) || a.namespace.localeCompare(b.namespace) || a.name.localeCompare(b.name));
}

function laidOut(shown: readonly LiveService[], isNarrow: boolean): Row[] {
  let top = 0;
  return shown.map((service) => {
    const versions = service.versions.length;
    const height = isNarrow ? NARROW.servicePx + versions * NARROW.versionPx : Math.max(1.4, versions) * VERSION_PX;
    const row = { service, top, height };
    top += height + GAP_PX;
    return row;
  });
}

/** What of the page is in sight, relative to an element. */
function useWindowPart(): {
  readonly place: { current: HTMLDivElement | null };
  readonly from: number;
  readonly to: number;
  readonly width: number;
} {
  const place = useRef<HTMLDivElement>(null);
  const [part, setPart] = useState({ from: 0, to: 1000, width: 1000 });
  useEffect(() => {
    let isAsked = false;
    const look = (): void => {
      isAsked = false;
      const box = place.current?.getBoundingClientRect();
      if (box === undefined) return;
      // In steps: scrolling a little draws nothing new.
      const from = Math.floor(-box.top / 100) * 100;
      const to = Math.ceil((innerHeight - box.top) / 100) * 100;
      setPart((before) =>
        before.from === from && before.to === to && before.width === box.width ? before : { from, to, width: box.width },
      );
    };
    const soon = (): void => {
      if (!isAsked) requestAnimationFrame(look);
      isAsked = true;
    };
    look();
    addEventListener('scroll', soon, { passive: true });
    addEventListener('resize', soon);
    return () => {
      removeEventListener('scroll', soon);
      removeEventListener('resize', soon);
    };
  }, []);
  return { place, ...part };
}

function Picture({ shown }: { readonly shown: readonly LiveService[] }): JSX.Element {
  const { place, from, to, width } = useWindowPart();
  const isNarrow = width < NARROW.belowPx;
  const rows = laidOut(shown, isNarrow);
  const last = rows.at(-1);
  const height = last === undefined ? 0 : last.top + last.height;
  const seen = rows.filter((row) => row.top + row.height >= from - OVERSCAN_PX && row.top <= to + OVERSCAN_PX);
  const columns = isNarrow ? undefined : wide(width);
  // Listeners stay in sight: in the middle of what can be seen of the picture.
  const places = placed(listeners.value, (Math.max(0, from) + Math.min(height, to)) / 2);
  return (
    <>
      {isNarrow && (
        <div class="listeners">
          {places.map((placed) => (
            <Listener key={placed.listener.name} {...placed} isNarrow />
          ))}
        </div>
      )}
      <div class={`picture ${isNarrow ? 'narrow' : ''}`} ref={place} style={{ height: `${height}px` }}>
        {columns !== undefined && (
          <>
            <svg class="edges" width={width} height={height} aria-hidden="true">
              {seen.flatMap((row) => [...inEdges(row, places, columns), ...outEdges(row, columns)])}
            </svg>
            {places.map((placed) => (
              <Listener key={placed.listener.name} {...placed} isNarrow={false} />
            ))}
          </>
        )}
        <ul class="services">
          {seen.map((row) => (
            <ServiceRow key={row.service.host} row={row} columns={columns} />
          ))}
        </ul>
      </div>
    </>
  );
}

function Listener({ listener, y, isNarrow }: Placed & { readonly isNarrow: boolean }): JSX.Element {
  return (
    <div class="listener" style={isNarrow ? {} : { top: `${y - 24}px` }}>
      <strong>{listener.name === 'mesh' ? 'mesh' : `port ${listener.name}`}</strong>
      <span>{listener.address}</span>
    </div>
  );
}

interface Columns {
  readonly service: number;
  readonly serviceWidth: number;
  readonly version: number;
}

const LISTENER_PX = 150;

function wide(width: number): Columns {
  const service = LISTENER_PX + Math.min(140, width * 0.1);
  const serviceWidth = Math.min(300, width * 0.26);
  return { service, serviceWidth, version: service + serviceWidth + Math.min(160, width * 0.12) };
}

interface Placed {
  readonly listener: LiveListener;
  readonly y: number;
}

function placed(all: readonly LiveListener[], middle: number): Placed[] {
  return all.map((listener, index) => ({ listener, y: Math.max(24 + index * 64, middle + (index - (all.length - 1) / 2) * 64) }));
}

function inEdges({ service, top, height }: Row, places: readonly Placed[], { service: x }: Columns): JSX.Element[] {
  const leading = places.filter(({ listener }) => listener.hosts.includes(service.host));
  // Requests are counted by service, not by the listener they came through: where there are several, the edges show only that they are used.
  const flow = leading.length === 1 ? service.requestsPerSecond : service.requestsPerSecond / leading.length;
  return leading.map(({ listener, y }) => (
    <Edge key={`${listener.name}>${service.host}`} from={[LISTENER_PX, y]} to={[x, top + height / 2]} flow={flow} tone="in" />
  ));
}

function outEdges({ service, top, height }: Row, { service: x, serviceWidth, version: end }: Columns): JSX.Element[] {
  return service.versions.map((version, index) => (
    <Edge
      key={`${service.host}>${version.subset}`}
      from={[x + serviceWidth, top + height / 2]}
      to={[end, versionMiddle(service, top, height, index)]}
      flow={version.requestsPerSecond}
      tone={severity(errorRatio(version)) === 'bad' ? 'failing' : versionClass(version, service)}
    />
  ));
}

function versionMiddle(service: LiveService, top: number, height: number, index: number): number {
  return top + (height - service.versions.length * VERSION_PX) / 2 + (index + 0.5) * VERSION_PX;
}

type Point = readonly [x: number, y: number];

/** As wide as the traffic is large, on a scale of powers; dashes run the faster the more there is. */
function Edge({
  from,
  to,
  flow,
  tone,
}: {
  readonly from: Point;
  readonly to: Point;
  readonly flow: number;
  readonly tone: string;
}): JSX.Element {
  const bend = (to[0] - from[0]) / 2;
  const path = `M${from[0]} ${from[1]}C${from[0] + bend} ${from[1]} ${to[0] - bend} ${to[1]} ${to[0]} ${to[1]}`;
  const width = flow > 0 ? Math.min(9, 1.5 + Math.log10(1 + flow) * 2) : 1;
  const speed = flow > 0 ? ['slow', 'steady', 'fast'][Math.min(2, Math.floor(Math.log10(1 + flow)))] : 'still';
  return (
    <g class={`edge ${tone} ${speed}`}>
      <path d={path} stroke-width={width} />
      {flow > 0 && <path class="dashes" d={path} stroke-width={Math.max(1, width / 2.5)} />}
    </g>
  );
}

/** @param columns Undefined: one under the other. */
function ServiceRow({ row, columns }: { readonly row: Row; readonly columns: Columns | undefined }): JSX.Element {
  const { service, top, height } = row;
  const ratio = errorRatio(service);
  const above = (height - service.versions.length * VERSION_PX) / 2;
  return (
    <li class="row" style={{ top: `${top}px`, height: `${height}px` }}>
      <a
        class={`service card ${severity(ratio)}`}
        href={href('services', service.host)}
        style={columns === undefined ? {} : { left: `${columns.service}px`, width: `${columns.serviceWidth}px` }}
      >
        <strong>{service.name}</strong>
        {service.namespace !== 'default' && <small>{service.namespace}</small>}
        <span class="figures">
          <span>{rate(service.requestsPerSecond)}</span>
          <span class={severity(ratio)}>{percent(ratio)} errors</span>
        </span>
        <SplitBar service={service} />
      </a>
      <ul class="versions" style={columns === undefined ? {} : { left: `${columns.version}px`, paddingTop: `${above}px` }}>
        {service.versions.map((version) => (
          <VersionCard key={version.subset} version={version} service={service} />
        ))}
      </ul>
    </li>
  );
}

function VersionCard({ version, service }: { readonly version: LiveVersion; readonly service: LiveService }): JSX.Element {
  const ratio = errorRatio(version);
  return (
    <li class={`version ${versionClass(version, service)}`}>
      <span class="name">
        <i aria-hidden="true" />
        {versionName(version)}
        {version.role !== null && <em>{version.role}</em>}
      </span>
      <span class="weight" title="measured share; weight that is in force">
        {percent(version.share)}
        {version.weightPercent !== null && <small> of {percentOf100(version.weightPercent)}</small>}
      </span>
      <span>{rate(version.requestsPerSecond)}</span>
      <span class={severity(ratio)}>{percent(ratio)} err</span>
      <span class="latency" title="median and 99th percentile">
        {millis(version.p50Ms)} · {millis(version.p99Ms)}
      </span>
      <Health version={version} />
    </li>
  );
}
