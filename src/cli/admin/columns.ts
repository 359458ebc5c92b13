/** Text in columns, for people. */

export interface Fit {
  /** Characters of a line. */
  readonly width: number;
  /** Headings of columns whose long cells are cut, down to 8 characters. All others are shown as a whole. */
  readonly cut?: readonly string[];
  /** Headings of columns that are left out if the rest does not fit, the first ones first. */
  readonly leftOut?: readonly string[];
}

interface Column {
  readonly name: string;
  readonly cells: readonly string[];
}

const gap = 2;
const cutWidthMin = 8;

/**
 * Columns whose cells are numbers are aligned at the right; those without any cell are left out. What does not fit is
 * cut or left out as `fit` says, and named below; a line is longer rather than without what is neither.
 * @param rows the first one is the heading
 */
export function columns([heading = [], ...rows]: readonly (readonly string[])[], fit: Fit): string {
  const all = heading
    .map((name, at) => ({ name, cells: rows.map((row) => row[at] ?? "") }))
    .filter(({ cells }) => rows.length === 0 || cells.some((cell) => cell !== ""));
  const { used, leftOut } = fitted(all, fit);
  const table = used.map(({ name, cells }) => {
    const width = widthOf({ name, cells });
    const isNumber = cells.every((cell) => /^(-?[\d.]+ ?[a-zA-Z%]{0,3})?$/.test(cell));
    return [name, ...cells].map((cell) => (isNumber ? cell.padStart(width) : cell.padEnd(width)));
  });
  const lines = [heading, ...rows].map(
    (_, line) =>
      `${table
        .map((cells) => cells[line])
        .join(" ".repeat(gap))
        .trimEnd()}\n`,
  );
  const note = `(no room for: ${leftOut.join(", ")}; --json has all)\n`;
  return lines.join("") + (leftOut.length > 0 ? note : "");
}

function fitted(
  all: readonly Column[],
  { width, cut = [], leftOut: dispensable = [] }: Fit,
): { readonly used: readonly Column[]; readonly leftOut: readonly string[] } {
  const leftOut: string[] = [];
  for (;;) {
    const used = all.filter(({ name }) => !leftOut.includes(name));
    const tooMuch = used.reduce((sum, one) => sum + widthOf(one) + gap, -gap) - width;
    if (tooMuch <= 0) return { used, leftOut };
    const narrowed = narrower(used, cut, tooMuch);
    if (narrowed !== undefined) return { used: narrowed, leftOut };
    const next = dispensable.find((name) => used.some((one) => one.name === name));
    if (next === undefined) return { used, leftOut };
    leftOut.push(next);
  }
}

/** Takes `tooMuch` characters from columns that may be cut, the widest first. Undefined = they have not so many. */
function narrower(
  used: readonly Column[],
  cut: readonly string[],
  tooMuch: number,
): readonly Column[] | undefined {
  const widths = new Map(
    used.filter(({ name }) => cut.includes(name)).map((one) => [one.name, widthOf(one)]),
  );
  for (let left = tooMuch; left > 0; left -= 1) {
    const [widest] = [...widths].toSorted(([, a], [, b]) => b - a);
    if (widest === undefined || widest[1] <= Math.max(cutWidthMin, widest[0].length))
      return undefined;
    widths.set(widest[0], widest[1] - 1);
  }
  return used.map(({ name, cells }) => {
    const width = widths.get(name) ?? Number.POSITIVE_INFINITY;
    const shown = (cell: string) => (cell.length <= width ? cell : `${cell.slice(0, width - 1)}…`);
    return { name, cells: cells.map(shown) };
  });
}

function widthOf({ name, cells }: Column): number {
  return Math.max(...[name, ...cells].map(({ length }) => length));
}

/** A sentence in lines that fit. */
export function wrapped(text: string, width: number): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!;
    if (last === "") lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`  ${word}`);
  }
  return `${lines.join("\n")}\n`;
}

/** Of the terminal, or of what `COLUMNS` says. */
export function terminalWidth(): number {
  const wanted = Number(process.env["COLUMNS"]);
  if (Number.isInteger(wanted) && wanted > 0) return wanted;
  return process.stdout.columns || defaultWidth;
}

const defaultWidth = 80;

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
