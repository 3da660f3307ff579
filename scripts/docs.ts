/**
 * `npm run docs`: writes docs/compatibility.md and docs/errors.md from the tables the program itself uses. `test/docs.test.ts` fails when they differ.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM_CODES } from '../src/app/codes.ts';
import { CODES } from '../src/config/codes.ts';
import { STRICTER, compatibility } from '../src/config/compatibility.ts';
import { REQUEST_ERRORS, RESPONSE_ERRORS } from '../src/http/http-error.ts';
import { FAILURES } from '../src/proxy/answer.ts';

const GENERATED = '<!-- Written by `npm run docs`. -->';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

export function compatibilityPage(): string {
  const fields = compatibility();
  const kinds = [...new Set(fields.map(({ kind }) => kind))];
  const sections = kinds.map((kind) => {
    const rows = fields
      .filter((field) => field.kind === kind)
      .map(({ path, fate, note }) => [`\`${path}\``, fate === 'warned' ? 'accepted, not acted on' : fate, note]);
    return `## ${kind}\n\n${table(['field', 'what becomes of it', 'note'], rows)}`;
  });
  return `${GENERATED}

# Compatibility

Every field of the kinds Serin reads. A field is **honoured**, honoured **partly** (what is not done is said in a warning), or **accepted, not acted on**: it is
validated as Istio validates it, and \`serin validate\` and the log of \`serin up\` say with a warning what is not done. Anything else is refused as an unknown
field. A field below one that is not acted on shares its fate.

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
- Without a \`timeout\` there is none for the whole answer, as in Istio, but it must begin within 30 s.
- Nothing is retried but what cannot be noticed: a connection that could not be made, and an idempotent request without a body on a connection the
  upstream had just closed.
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

if (import.meta.main) {
  const docs = join(import.meta.dirname, '../docs');
  writeFileSync(join(docs, 'compatibility.md'), compatibilityPage());
  writeFileSync(join(docs, 'errors.md'), errorsPage());
}
