/** Numbers and times for people. A missing value is an en dash everywhere. */
export const NONE = '–';

/** Three significant digits at most, thousands in words: `1.2k`. */
export function count(value: number): string {
  if (value >= 1e6) return `${digits(value / 1e6)}M`;
  if (value >= 1e4) return `${digits(value / 1e3)}k`;
  return digits(value);
}

export function rate(value: number): string {
  return `${count(value)}/s`;
}

/** @param ratio 0..1 */
export function percent(ratio: number | null | undefined): string {
  return ratio === null || ratio === undefined ? NONE : `${digits(ratio * 100)} %`;
}

/** @param value 0..100 */
export function percentOf100(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : `${digits(value)} %`;
}

export function millis(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return value >= 10_000 ? `${digits(value / 1000)} s` : `${digits(value)} ms`;
}

/** `1h 4m`, `3m 20s`, `12s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours >= 48) return `${Math.floor(hours / 24)}d ${hours % 24}h`;
  if (hours > 0) return `${hours}h ${minutes}m`;
  return minutes > 0 ? `${minutes}m ${whole % 60}s` : `${whole}s`;
}

/** An instant, by this browser's clock and habits. */
export function time(instant: string | number): string {
  return new Date(instant).toLocaleTimeString(undefined, { hour12: false });
}

export function dateTime(instant: string): string {
  return new Date(instant).toLocaleString(undefined, { hour12: false });
}

function digits(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude === 0 || !Number.isFinite(value)) return String(value);
  if (magnitude >= 100) return String(Math.round(value));
  if (magnitude >= 10) return trimmed(value.toFixed(1));
  return magnitude >= 1 ? trimmed(value.toFixed(2)) : trimmed(value.toPrecision(2));
}

function trimmed(text: string): string {
  return text.includes('.') && !text.includes('e') ? text.replace(/\.?0+$/, '') : text;
}
