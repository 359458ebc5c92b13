/** nginx's times and sizes: `10s`, `1m30s`, `1h 30m`, `512k`, `1m`. Undefined = the text is none. */

/** From large to small; a unit may only follow larger ones. */
const timeUnits = ["y", "M", "w", "d", "h", "m", "s", "ms"] as const;
const day = 86_400_000;
const unitMs = [365 * day, 30 * day, 7 * day, day, 3_600_000, 60_000, 1000, 1] as const;
const secondRank = timeUnits.indexOf("s");

/**
 * A number without a unit means seconds.
 * @param precision `seconds` has no `ms`, `milliseconds` has neither years nor months: nginx has both kinds
 * @returns milliseconds
 */
export function parseTime(
  text: string,
  precision: "milliseconds" | "seconds" = "milliseconds",
): number | undefined {
  let rank = precision === "seconds" ? -1 : timeUnits.indexOf("M");
  let total = 0;
  let charactersRead = 0;
  for (const [all, digits, unit] of text.matchAll(/(\d*)(ms|[yMwdhms]| )? */g)) {
    charactersRead += all.length;
    const value = Number(digits);
    if (unit === undefined) {
      total += value * 1000;
      continue;
    }
    if (unit === "ms" && precision === "seconds") return undefined;
    const nextRank = unit === " " ? secondRank : timeUnits.indexOf(unit as "s");
    if (nextRank <= rank) return undefined;
    total += value * unitMs[nextRank]!;
    rank = unit === " " ? timeUnits.length : nextRank;
  }
  // Characters that the expression skipped are not part of a time.
  if (charactersRead < text.length || !/\d/.test(text)) return undefined;
  return total < 2 ** 63 ? total : undefined;
}

const sizeUnits: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1_048_576, g: 2 ** 30 };

/** @param gigabytes whether `g` is a unit: nginx has it only for sizes of files */
export function parseSize(text: string, gigabytes = false): number | undefined {
  const [, digits, unit = ""] = /^(\d+)([kmg]?)$/i.exec(text) ?? [];
  if (digits === undefined || (unit.toLowerCase() === "g" && !gigabytes)) return undefined;
  const size = Number(digits) * sizeUnits[unit.toLowerCase()]!;
  return Number.isSafeInteger(size) ? size : undefined;
}

/** Digits only, as nginx reads numbers. */
export function parseNumber(text: string): number | undefined {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}
