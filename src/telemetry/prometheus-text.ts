/**
 * Prometheus' text exposition format, version 0.0.4: families of samples in, text out.
 *
 * Label values may come from names people chose, so every one is escaped: a quote, a backslash or a line break in a name can neither end
 * its line nor add another. Source: prometheus.io, "Exposition formats", text-based format.
 */

/** What a scraper is told the text is. */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type Labels = Readonly<Record<string, string>>;

/** Collects samples; those of one family must be added one after another, as the format asks. */
export class PrometheusText {
  readonly #lines: string[] = [];

  /**
   * Begins a family.
   *
   * @param name  Without the `_bucket`, `_sum` or `_count` of a histogram's samples.
   * @param type  `counter`, `gauge`, `histogram` or `summary`.
   */
  family(name: string, type: string, help: string): void {
    this.#lines.push(`# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`, `# TYPE ${name} ${type}`);
  }

  /** @param labels  As `formatLabels` wrote them, so that samples which share labels format them once; empty for none. */
  sample(name: string, labels: string, value: number): void {
    this.#lines.push(`${name}${labels === '' ? '' : `{${labels}}`} ${formatValue(value)}`);
  }

  toString(): string {
    return this.#lines.length === 0 ? '' : `${this.#lines.join('\n')}\n`;
  }
}

/** `a="1",b="two"`, in the order of the object's keys. Names are ours and need no escaping. */
export function formatLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`)
    .join(',');
}

function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
