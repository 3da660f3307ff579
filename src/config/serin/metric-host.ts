/** What metrics and webhooks need of this machine: programs, variables, files with secrets. Said by `serin validate`, each at its line. */
import type { Diagnostic } from '../../base/diagnostic.ts';
import type { LoadedResource } from '../loaded.ts';
import { Place, Report } from '../report.ts';
import type { EnvValue } from '../resources.ts';
import { envValue, type HostEnv, type HostProblem, planCommand, runDirectory } from '../run-host.ts';
import type { HttpAuth, MetricProvider } from './metric-spec.ts';

export function checkMetricsOnHost(loaded: readonly LoadedResource[], hostEnv: HostEnv, diagnostics: Diagnostic[]): void {
  for (const { resource, locate } of loaded) {
    if (resource.kind !== 'MetricTemplate' && resource.kind !== 'Rollout') continue;
    const { kind, metadata, origin } = resource;
    const spec = Place.root(new Report({ kind, namespace: metadata.namespace, name: metadata.name }, locate, diagnostics)).at('spec');
    const host = new HostCheck(runDirectory(origin.file), hostEnv);
    if (resource.kind === 'MetricTemplate') host.provider(resource.spec.provider, spec.at('provider'));
    else {
      const metrics = spec.at('analysis').at('metrics');
      for (const [index, { provider }] of (resource.spec.analysis?.metrics ?? []).entries())
        if (provider !== undefined) host.provider(provider, metrics.at(index).at('provider'));
      for (const [index, webhook] of (resource.spec.webhooks ?? []).entries()) {
        const at = spec.at('webhooks').at(index);
        host.auth(webhook, at);
        if (webhook.secret !== undefined) host.value(webhook.secret, at.at('secret'));
      }
    }
  }
}

class HostCheck {
  readonly #directory: string;
  readonly #hostEnv: HostEnv;

  constructor(directory: string, hostEnv: HostEnv) {
    this.#directory = directory;
    this.#hostEnv = hostEnv;
  }

  provider({ prometheus, web, command }: MetricProvider, place: Place): void {
    if (prometheus !== undefined) this.auth(prometheus, place.at('prometheus'));
    if (web !== undefined) this.auth(web, place.at('web'));
    // A word with a reference in it is known only where the template is used; one text instead of words was refused already.
    if (command !== undefined && Array.isArray(command.command) && command.command[0]?.includes('{{') !== true)
      report(planCommand(command, this.#directory, this.#hostEnv).problems, place.at('command'));
  }

  auth({ headers = [], bearerToken }: HttpAuth, place: Place): void {
    for (const [index, { value }] of headers.entries()) this.value(value, place.at('headers').at(index).at('value'));
    if (bearerToken !== undefined) this.value(bearerToken, place.at('bearerToken'));
  }

  value(value: EnvValue, place: Place): void {
    const problems: HostProblem[] = [];
    envValue(value, this.#directory, this.#hostEnv, [], problems);
    report(problems, place);
  }
}

function report(problems: readonly HostProblem[], place: Place): void {
  for (const { severity, code, field, message, hint } of problems) {
    let at = place;
    for (const step of field) at = at.at(step);
    if (severity === 'error') at.error(code, message, hint);
    else at.warn(code, message, hint);
  }
}
