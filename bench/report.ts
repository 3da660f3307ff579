/** What the benchmark prints: tables, and for everything that was asked of Serin one line that says what was measured. */

/** One thing asked of Serin. */
export interface Check {
  readonly what: string;
  readonly asked: 'at most' | 'at least';
  readonly limit: number;
  readonly unit: string;
  /** undefined: there was nothing to compare with. */
  readonly measured: number | undefined;
}

export interface SectionResult {
  readonly section: string;
  readonly checks: readonly Check[];
  /** Every sample, for `--json`. */
  readonly details: unknown;
}

export type Print = (line: string) => void;

/** Columns padded to their widest cell: the first to the left, the others to the right. */
export function printTable(print: Print, header: readonly string[], rows: readonly (readonly string[])[]): void {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  for (const row of all) {
    print(
      `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`.trimEnd(),
    );
  }
}

export function printCheck(print: Print, { what, asked, limit, unit, measured }: Check): void {
  const found = measured === undefined ? 'not measured' : `${format(measured)}${unit}`;
  const verdict = measured === undefined ? '' : holds(asked, measured, limit) ? '  ok' : '  NOT MET';
  print(`  asked ${asked} ${format(limit)}${unit}, measured ${found}: ${what}${verdict}`);
}

function holds(asked: Check['asked'], measured: number, limit: number): boolean {
  return asked === 'at most' ? measured <= limit : measured >= limit;
}

/** Three significant digits, without an exponent. */
export function format(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 0.001))));
  return value.toFixed(Math.min(digits, 3));
}
