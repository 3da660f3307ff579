/**
 * `serin render -f PATH... --to istio|gateway-api|envoy`: what the files say, for others to run. As standard resources with the short form expanded, in either
 * dialect, or as a bootstrap for Envoy; what is done in another way there goes to stderr.
 */
import { type Command, Option } from 'commander';
import { renderEnvoy } from '../app/envoy.ts';
import { type Address, describeListenError, type ListenMapping, ownListeners, unusedMappings, listenerName } from '../app/listen.ts';
import { printableText } from '../app/printable.ts';
import { formatDiagnostic, hasErrors } from '../base/diagnostic.ts';
import { renderIstio, renderResources } from '../config/render.ts';
import { toGatewayApi } from '../routing/convert/to-gateway-api.ts';
import { toIstio } from '../routing/convert/to-istio.ts';
import { ListenError } from '../proxy/options.ts';
import { type AddCommand, fileOption, istioCompatOption, listenOption, localityOption, meshOption, upgradeOption } from './command.ts';
import { CliError, EXIT } from './exit.ts';
import type { Io } from './io.ts';
import { formatDiagnostics, load, pathsOf } from './sources.ts';

interface RenderOptions {
  readonly file?: readonly string[];
  readonly to: 'istio' | 'gateway-api' | 'envoy';
  readonly listen?: readonly ListenMapping[];
  readonly mesh: Address | 'off';
  readonly locality?: string;
  readonly istioCompat?: boolean;
  readonly upgrade?: readonly string[];
  readonly withSecrets?: boolean;
}

/** Say nothing about standard resources. */
const FOR_ENVOY = ['listen', 'mesh', 'locality', 'istioCompat', 'upgrade', 'withSecrets'] as const;

export const renderCommand: AddCommand = (program, io, done): Command => {
  const command = program
    .command('render')
    .description(
      'print configuration as standard resources of Istio or the Gateway API, the short form expanded, or as a bootstrap for Envoy',
    )
    .argument('[PATH...]', 'more paths after -f')
    .addOption(fileOption())
    .addOption(new Option('--to <FORMAT>', 'what to print').choices(['istio', 'gateway-api', 'envoy']).makeOptionMandatory())
    .addOption(listenOption())
    .addOption(meshOption())
    .addOption(localityOption('with --to envoy: where Envoy will stand'))
    .addOption(istioCompatOption('with --to envoy: as Serin would with the option of the same name'))
    .addOption(upgradeOption('with --to envoy: let clients upgrade to this protocol too, beside websocket'))
    .addOption(new Option('--with-secrets', 'with --to envoy: write out certificates and keys of Secrets'));
  return command.action(async (more: readonly string[], options: RenderOptions) => {
    const paths = pathsOf(options.file, more);
    if (options.to !== 'envoy') refuseOthers(command);
    const { listen = [], locality, istioCompat = false } = options;
    const compileOptions = { ownListeners: ownListeners(listen), istioCompat, ...(locality === undefined ? {} : { locality }) };
    const checked = await load(paths, io, compileOptions);
    if (hasErrors(checked.diagnostics)) {
      io.err(formatDiagnostics(checked.diagnostics, (_severity, text) => text));
      return done(EXIT.invalid);
    }
    if (options.to === 'envoy') return printEnvoy(checked, options, io);
    const { resources, changes } = options.to === 'istio' ? toIstio(checked.resources) : toGatewayApi(checked.resources);
    io.err(changes.map((change) => `${printableText(formatDiagnostic(change))}\n`).join(''));
    io.out(options.to === 'istio' ? renderIstio(resources) : renderResources(resources));
  });
};

function refuseOthers(command: Command): void {
  const given = FOR_ENVOY.find((name) => command.getOptionValueSource(name) === 'cli');
  if (given !== undefined) {
    const flag = command.options.find((option) => option.attributeName() === given)?.long ?? given;
    throw new CliError(EXIT.usage, `option '${flag}' goes with --to envoy only`);
  }
}

function printEnvoy({ snapshot, table }: Awaited<ReturnType<typeof load>>, options: RenderOptions, io: Io): void {
  if (table === undefined) return;
  const { listen = [], mesh, upgrade = [], withSecrets = false } = options;
  const [unused] = unusedMappings(table, listen);
  if (unused !== undefined) throw new CliError(EXIT.usage, `no Gateway declares what --listen ${listenerName(unused)} names`);
  try {
    const { text, diagnostics } = renderEnvoy(snapshot, table, { listen, mesh, upgrades: ['websocket', ...upgrade], withSecrets });
    io.err(formatDiagnostics(diagnostics, (_severity, shown) => shown));
    io.out(text);
  } catch (error) {
    if (error instanceof ListenError) throw new CliError(EXIT.usage, describeListenError(error), undefined, { cause: error });
    throw error;
  }
}
