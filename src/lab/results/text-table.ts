/** A table for a terminal: columns padded to their widest cell. */

export type Column<T> = readonly [title: string, cell: (row: T) => string];

export function textTable<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const lines = [columns.map(([title]) => title), ...rows.map((r) => columns.map(([, c]) => c(r)))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
