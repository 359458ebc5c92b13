/** Text in columns, for people. */

/**
 * Columns whose cells are numbers are aligned at the right; those without any cell are left out.
 * @param rows the first one is the heading
 */
export function columns([heading = [], ...rows]: readonly (readonly string[])[]): string {
  const used = heading.flatMap((name, at) => {
    const cells = rows.map((row) => row[at] ?? "");
    if (rows.length > 0 && cells.every((cell) => cell === "")) return [];
    const width = Math.max(...[name, ...cells].map(({ length }) => length));
    const isNumber = cells.every((cell) => /^(-?[\d.]+ ?[a-zA-Z%]{0,3})?$/.test(cell));
    return [{ at, width, isNumber }];
  });
  const lines = [heading, ...rows].map((row) => {
    const cells = used.map(({ at, width, isNumber }) => {
      const cell = row[at] ?? "";
      return isNumber ? cell.padStart(width) : cell.padEnd(width);
    });
    return `${cells.join("  ").trimEnd()}\n`;
  });
  return lines.join("");
}

/** `1234 ms` as `1.2 s`; "" = it did not happen. */
export function duration(ms: number | undefined): string {
  if (ms === undefined || ms < 0) return "";
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** `12345` as `12.3k`. */
export function short(number: number): string {
  if (number < 10_000) return `${Math.round(number)}`;
  return number < 10_000_000
    ? `${(number / 1_000).toFixed(1)}k`
    : `${(number / 1_000_000).toFixed(1)}M`;
}
