/** How versions look everywhere: stable is blue, what is being released is the colour of the bird, others have colours of their own. */
import type { JSX } from 'preact';
import type { LiveService, LiveVersion } from '../../../src/admin/live-types.ts';
import { percent } from '../data/format.ts';

const OTHERS = 5;

/** A class that sets `--version`. */
export function versionClass(version: LiveVersion, service: LiveService): string {
  if (version.role !== null) return `v-${version.role}`;
  return `v-${service.versions.filter(({ role }) => role === null).indexOf(version) % OTHERS}`;
}

/** The name of a version; the whole service where it has none. */
export function versionName({ subset }: LiveVersion): string {
  return subset === '' ? 'all' : subset;
}

/** Who gets how much, as it was measured. */
export function SplitBar({ service }: { readonly service: LiveService }): JSX.Element {
  const shown = service.versions.filter(({ share }) => share !== null && share > 0);
  const words = shown.map((version) => `${versionName(version)} ${percent(version.share)}`).join(', ');
  return (
    <div class="split" role="img" aria-label={words === '' ? 'no requests' : words}>
      {shown.map((version) => (
        <i key={version.subset} class={versionClass(version, service)} style={{ flexGrow: version.share ?? 0 }} />
      ))}
    </div>
  );
}

/** Endpoints: how many of them can be sent to. */
export function Health({ version }: { readonly version: LiveVersion }): JSX.Element {
  const { total, healthy, ejected } = version.endpoints;
  const state = total === 0 || healthy === 0 ? 'bad' : healthy < total ? 'warn' : 'good';
  const what = `${healthy} of ${total} endpoints healthy${ejected === 0 ? '' : `, ${ejected} ejected`}`;
  return (
    <span class={`health ${state}`} title={what}>
      <i aria-hidden="true" />
      {healthy}/{total}
      {ejected > 0 && <b> {ejected} ejected</b>}
      <span class="visually-hidden">endpoints healthy</span>
    </span>
  );
}

/** Of all answers that were not made. */
export function errorRatio({ requestsPerSecond, errorsPerSecond }: LiveVersion | LiveService): number | null {
  return requestsPerSecond > 0 ? errorsPerSecond / requestsPerSecond : null;
}

/** How bad a share of errors is to the eye. */
export function severity(ratio: number | null): string {
  if (ratio === null || ratio < 0.001) return '';
  return ratio < 0.01 ? 'warn' : 'bad';
}
