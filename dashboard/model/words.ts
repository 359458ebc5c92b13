/** Numbers and times as people read them. */

/** `0`, `7.3`, `42`, `1 240`, `13.4k`, `2.1M`. */
export function numberText(value: number): string {
  const whole = Math.round(value);
  if (whole >= 1_000_000) return `${digits(whole / 1_000_000)}M`;
  if (whole >= 10_000) return `${digits(whole / 1_000)}k`;
  if (whole < 1_000) return digits(value);
  return `${Math.floor(whole / 1_000)} ${String(whole % 1_000).padStart(3, "0")}`;
}

function digits(value: number): string {
  return value >= 100 || Number.isInteger(value)
    ? String(Math.round(value))
    : value.toFixed(1).replace(/\.0$/, "");
}

/** `4 ms`, `320 ms`, `1.24 s`, `2 min 5 s`. */
export function durationText(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1).replace(/\.0$/, "")} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return ageText(ms);
}

/** `4 s`, `2 min 5 s`, `3 h 12 min`, `5 d 4 h`: of whole seconds. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 600) return joined(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return joined(hours, "h", minutes % 60, "min");
  return joined(Math.floor(hours / 24), "d", hours % 24, "h");
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** `43 %`, `0.4 %`. */
export function percentText(share: number): string {
  const percent = share * 100;
  return `${percent > 0 && percent < 9.95 ? percent.toFixed(1).replace(/\.0$/, "") : Math.round(percent)} %`;
}

/** `14:03:21`. */
export function clockText(atMs: number): string {
  return new Date(atMs).toLocaleTimeString("en-GB");
}

/** `1 request`, `3 requests`. */
export function countText(count: number, one: string, several: string = `${one}s`): string {
  return `${numberText(count)} ${count === 1 ? one : several}`;
}
