/** Options of `up` that say what is logged and traced. */
import { InvalidArgumentError, Option } from 'commander';
import type { ServeOptions } from '../app/serve.ts';
import type { AccessLogSetting } from '../proxy/access-log.ts';
import { CliError, EXIT } from './exit.ts';

export interface ObserveOptions {
  readonly accessLog?: AccessLogSetting;
  readonly accessLogFile?: string;
  readonly otlp?: string;
  readonly traceSampling?: number;
}

export const observeOptions = (): readonly Option[] => [
  new Option('--access-log <WHICH>', 'requests that are logged, as JSON lines: off, errors, all, or a percentage').argParser(
    parseAccessLog,
  ),
  new Option('--access-log-file <FILE>', 'where they are logged (default: logs/access.log in the state directory)'),
  new Option(
    '--otlp <URL>',
    "collector that spans are sent to by OTLP over HTTP, or 'off' (default: $OTEL_EXPORTER_OTLP_ENDPOINT)",
  ).argParser(parseOtlp),
  new Option('--trace-sampling <PERCENT>', 'of the traces that begin at Serin, how many are followed (default: 1%)').argParser(
    parseSampling,
  ),
];

type Env = Readonly<Record<string, string | undefined>>;

export function observed(options: ObserveOptions, env: Env): Pick<ServeOptions, 'accessLog' | 'tracing'> {
  return { ...logged(options), ...traced(options, env) };
}

/** Istio's default. */
const DEFAULT_SHARE = 0.01;

function traced({ otlp, traceSampling }: ObserveOptions, env: Env): Pick<ServeOptions, 'tracing'> {
  const url = otlp === undefined ? collectorOf(env) : otlp;
  if (url === undefined || url === 'off') {
    if (traceSampling === undefined) return {};
    throw new CliError(EXIT.usage, '--trace-sampling without a collector samples nothing', 'add --otlp http://127.0.0.1:4318');
  }
  return { tracing: { url, service: env['OTEL_SERVICE_NAME'] ?? 'serin', share: traceSampling ?? DEFAULT_SHARE } };
}

/** As OpenTelemetry's specification of the exporter has it: the address of traces as it is, the address of all signals without its path of each. */
function collectorOf(env: Env): string | undefined {
  const { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces = '', OTEL_EXPORTER_OTLP_ENDPOINT: all = '' } = env;
  const [name, address] = traces === '' ? ['OTEL_EXPORTER_OTLP_ENDPOINT', all] : ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', traces];
  if (address === '') return undefined;
  const url = httpUrl(address);
  if (url === undefined) throw new CliError(EXIT.usage, `${name}: expected an http or https address, found '${address}'`);
  return traces === '' ? `${url.href.replace(/\/$/, '')}/v1/traces` : url.href;
}

function httpUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : undefined;
}

/** Whole address of a collector's traces; its usual path where none is given. */
function parseOtlp(text: string): string {
  if (text === 'off') return text;
  const url = httpUrl(text);
  if (url === undefined) throw new InvalidArgumentError(`expected an address such as http://127.0.0.1:4318, or off, found '${text}'`);
  if (url.pathname === '/') url.pathname = '/v1/traces';
  return url.href;
}

function parseSampling(text: string): number {
  const percent = percentOf(text);
  if (percent === undefined) throw new InvalidArgumentError(`expected a percentage such as 1%, found '${text}'`);
  return percent / 100;
}

function logged({ accessLog, accessLogFile }: ObserveOptions): Pick<ServeOptions, 'accessLog'> {
  if (accessLog === undefined && accessLogFile !== undefined)
    throw new CliError(EXIT.usage, '--access-log-file without --access-log logs nothing', 'add --access-log errors, all, or a percentage');
  if (accessLog === undefined) return {};
  return { accessLog: { setting: accessLog, ...(accessLogFile === undefined ? {} : { file: accessLogFile }) } };
}

/** Undefined: none. */
function parseAccessLog(text: string): AccessLogSetting | undefined {
  if (text === 'off') return undefined;
  if (text === 'errors') return { kind: 'errors' };
  const percent = text === 'all' ? 100 : percentOf(text);
  if (percent === undefined || percent === 0)
    throw new InvalidArgumentError(`expected off, errors, all, or a percentage above 0 such as 1%, found '${text}'`);
  return { kind: 'share', share: percent / 100 };
}

/** 0 to 100, with or without its sign; undefined for anything else. */
function percentOf(text: string): number | undefined {
  const percent = /^\d{1,3}(?:\.\d{1,6})?%?$/.test(text) ? Number(text.replace('%', '')) : Number.NaN;
  return percent <= 100 ? percent : undefined;
}
