/**
 * `npm run docs`: writes docs/compatibility.md and docs/errors.md from the tables the program itself uses, and the example's output into
 * docs/simulate.md. `test/docs.test.ts` and `test/e2e/simulate-docs.test.ts` fail when they differ.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM_CODES } from '../src/app/codes.ts';
import { CODES } from '../src/config/codes.ts';
import { STRICTER, compatibility } from '../src/config/compatibility.ts';
import { REQUEST_ERRORS, RESPONSE_ERRORS } from '../src/http/http-error.ts';
import { FAILURES } from '../src/proxy/answer.ts';
import { ENVOY_DIFFERENCES } from '../src/xds/differences.ts';

const GENERATED = '<!-- Written by `npm run docs`. -->';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

const FATES = { honoured: 'honoured', partly: 'partly', warned: 'accepted, not acted on', unused: 'accepted, not used' } as const;

export function compatibilityPage(): string {
  const fields = compatibility();
  const kinds = [...new Set(fields.map(({ kind }) => kind))];
  const sections = kinds.map((kind) => {
    const rows = fields.filter((field) => field.kind === kind).map(({ path, fate, note }) => [`\`${path}\``, FATES[fate], note]);
    return `## ${kind === 'GatewayApiGateway' ? 'Gateway of the Gateway API' : kind}\n\n${table(['field', 'what becomes of it', 'note'], rows)}`;
  });
  return `${GENERATED}

# Compatibility

Every field of the kinds Serin reads. A field is **honoured**, honoured **partly** (what is not done is said in a warning, or in the status of the resource), or
**accepted, not acted on**: it is validated as Istio validates it, and \`serin validate\` and the log of \`serin up\` say with a warning what is not done. Fields of
Kubernetes' core that say something to a cluster only are **accepted, not used**, without a warning. Anything else is refused as an unknown field. A field below
one that is not acted on shares its fate.

Resources of the Gateway API are validated as an API server with the definitions of version 1.6 (experimental channel) validates them, each rule at its own
place in the file; a reference to something that is not there is no mistake of that kind, but a condition in the status.

${sections.join('\n\n')}

## Stricter than Istio

Valid there, refused here, on purpose:

${table(
  ['what', 'why'],
  STRICTER.map(({ what, why }) => [what, why]),
)}

## Otherwise different

- VirtualServices for one mesh host are merged, the oldest first and rules that take everything last, and the overlap is warned about. Istio serves the
  oldest alone.
- A ServiceEntry host without a dot is a short name in its own namespace, as in a VirtualService. \`serin render\` writes it out.
- \`resolution: NONE\` and \`DYNAMIC_DNS\` are resolved by DNS.
- A redirect to another scheme leaves out the port of the request's Host. Envoy keeps it, and sends a browser that asked for port 8080 to speak TLS there.
- Copies for mirrors have \`-shadow\` in their Host, as Envoy marks them; with \`--istio-compat\` they keep it, as in Istio.
- Without a \`timeout\` there is none for the whole answer, as in Istio, but it must begin within 30 s.
- Faults are injected into each attempt, within timeouts and retries; before them and once, as in Istio, with \`--istio-compat\`.
- Retries are safer than Istio's, and limited, unless \`--istio-compat\` is given: [policies.md](policies.md) says how they differ.

## Rendered for Envoy

\`serin render --to envoy\` ([envoy.md](envoy.md)) translates everything that is honoured. Where Envoy does it in another way:

${table(
  ['what', 'Serin', 'Envoy'],
  ENVOY_DIFFERENCES.map(({ what, serin, envoy }) => [what, serin, envoy]),
)}
`;
}

export function errorsPage(): string {
  const codes = [...Object.entries(CODES), ...Object.entries(PROGRAM_CODES)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const answers = [
    ...Object.values(FAILURES).map(({ status, code }) => ({ status, code })),
    ...Object.values(REQUEST_ERRORS),
    ...Object.values(RESPONSE_ERRORS).map(({ status, code }) => ({ status, code: `upstream_${code}` })),
  ].toSorted((a, b) => a.status - b.status || (a.code < b.code ? -1 : 1));
  const flags = new Map<string, string>();
  for (const failure of Object.values(FAILURES)) if ('flag' in failure && failure.flag !== undefined) flags.set(failure.code, failure.flag);
  return `${GENERATED}

# Errors

## Diagnostics and API problems

\`E_\` refuses, \`W_\` accepts and says what to look at. Codes are stable.

${table(
  ['code', 'meaning'],
  codes.map(([code, meaning]) => [`\`${code}\``, meaning]),
)}

## Exit codes

${table(
  ['code', 'meaning'],
  [
    ['0', 'fine, also with warnings'],
    ['1', 'something else failed'],
    ['2', 'the command line is wrong'],
    ['3', 'the configuration is invalid'],
    ['4', 'no Serin is running, or it cannot be reached'],
    ['5', 'there is no such thing'],
    ['6', 'it conflicts with the present state'],
    ['130', 'ended by Ctrl-C'],
  ],
)}

## Answers Serin makes itself

Each has a small fixed body, an \`x-request-id\`, and the code in \`x-serin-error\`. Response flags are Envoy's; \`/metrics\` has them as \`response_flags\`.

${table(
  ['status', 'x-serin-error', 'response flag'],
  answers.map(({ status, code }) => [String(status), `\`${code}\``, flags.get(code) ?? '']),
)}
`;
}

/** The page with its example's output as it is now: a table of figures, up to what they assume. */
function simulatePage(text: string): string {
  const [, args = ''] = /^serin (simulate .*)$/m.exec(text) ?? [];
  const output = execFileSync(process.execPath, ['src/cli/main.ts', ...args.split(' ')], {
    cwd: join(import.meta.dirname, '..'),
    encoding: 'utf8',
  });
  const shown = output.slice(0, output.indexOf('\n\nThese figures assume'));
  return text.replace(/^```text\n[\s\S]*?\n```$/m, () => `\`\`\`text\n${shown}\n\`\`\``);
}

if (import.meta.main) {
  const docs = join(import.meta.dirname, '../docs');
  writeFileSync(join(docs, 'compatibility.md'), compatibilityPage());
  writeFileSync(join(docs, 'errors.md'), errorsPage());
  const simulate = join(docs, 'simulate.md');
  writeFileSync(simulate, simulatePage(readFileSync(simulate, 'utf8')));
}
