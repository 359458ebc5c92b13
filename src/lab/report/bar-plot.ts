/** Two horizontal bars for each policy: a value over all requests, and the same in the worst decile. */
import { escapeHtml, linear } from "./axis.ts";
import { figure, left, round, text, width } from "./frame.ts";

export interface Bar {
  readonly name: string;
  readonly color: number;
  readonly all: number;
  readonly worst: number;
}

const rowHeight = 34;
const nameWidth = 150;

/** @param format of a bar's value */
export function barFigure(
  heading: string,
  note: string,
  bars: readonly Bar[],
  format: (value: number) => string,
): string {
  const most = Math.max(1e-9, ...bars.map(({ all }) => all));
  const axis = linear(0, most);
  const room = width - nameWidth - left;
  const parts = bars.map(({ name, color, all, worst }, i) => {
    const y = 6 + i * rowHeight;
    const bar = (value: number, from: number, kind: string, what: string) =>
      `<rect class="bar c${color} ${kind}" x="${nameWidth}" y="${from}"` +
      ` width="${round(room * axis.at(value))}" height="12" rx="2">` +
      `<title>${escapeHtml(`${name}, ${what}: ${format(value)}`)}</title></rect>` +
      text(nameWidth + room * axis.at(value) + 6, from + 10, format(value), "start");
    return (
      text(nameWidth - 8, y + 17, name, "end", "name") +
      bar(all, y, "", "all requests") +
      bar(worst, y + 13, "pale", "worst decile")
    );
  });
  return figure(heading, note, parts.join(""), 10 + bars.length * rowHeight);
}
