/** Maps values to positions on a plot, chooses round ticks, and formats numbers. */

export interface Axis {
  readonly ticks: readonly number[];
  /** 0 at the start of the axis, 1 at its end. */
  at(value: number): number;
}

export function linear(low: number, high: number): Axis {
  const span = high > low ? high - low : 1;
  const rough = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 5, 10].map((factor) => factor * rough).find((one) => span / one <= 5.5)!;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= low + span * (1 + 1e-9); i += 1) {
    ticks.push(i * step);
  }
  return { ticks, at: (value) => clamp((value - low) / span) };
}

const timeStepsMs = [
  1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21_600, 86_400,
].map((seconds) => seconds * 1000);

/** For a time that starts at 0: ticks at whole seconds, minutes, hours or days, if it is long enough. */
export function elapsed(highMs: number): Axis {
  const { ticks, at } = linear(0, highMs);
  const stepMs = timeStepsMs.find((step) => highMs / step <= 6);
  if (highMs < 2 * timeStepsMs[0]! || stepMs === undefined) return { ticks, at };
  return {
    ticks: Array.from({ length: Math.floor(highMs / stepMs) + 1 }, (_, i) => i * stepMs),
    at,
  };
}

/** For values of several orders of magnitude; both ends are above 0. */
export function logarithmic(low: number, high: number): Axis {
  const span = Math.log(Math.max(high, 2 * low) / low);
  // Over more than two decades, powers of ten are ticks enough.
  const factors = span > Math.log(200) ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) {
    for (const factor of factors) {
      const tick = decade * factor;
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
    }
  }
  return { ticks, at: (value) => clamp(Math.log(Math.max(value, low) / low) / span) };
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}

/** At most three digits, with `k` or `M` if that is shorter. */
export function shortNumber(value: number): string {
  if (value >= 999_500) return `${threeDigits(value / 1e6)}M`;
  if (value >= 9_995) return `${threeDigits(value / 1e3)}k`;
  return threeDigits(value);
}

export function duration(ms: number): string {
  if (ms === 0) return "0";
  if (ms < 999.5) return `${threeDigits(ms)} ms`;
  if (ms < 600_000) return `${threeDigits(ms / 1000)} s`;
  return ms < 7_200_000 ? `${threeDigits(ms / 60_000)} min` : `${threeDigits(ms / 3_600_000)} h`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function threeDigits(value: number): string {
  return String(Number(value >= 1000 ? value.toFixed(0) : value.toPrecision(3)));
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
