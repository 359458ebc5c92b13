/** Lines over an axis, one for each policy. */
import { escapeHtml } from "./axis.ts";
import { grid, type Labelled, xOf, yOf } from "./frame.ts";

export interface Line {
  readonly name: string;
  /** Which of the report's colours. */
  readonly color: number;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly isDashed?: boolean;
  readonly hasMarks?: boolean;
}

export function linePlot(lines: readonly Line[], x: Labelled, y: Labelled): string {
  return grid(x, y) + lines.map((line) => drawn(line, x, y)).join("");
}

function drawn(line: Line, x: Labelled, y: Labelled): string {
  const places = line.points.map(([px, py]) => [xOf(x.axis.at(px)), yOf(y.axis.at(py))] as const);
  const path = places.map(([px, py], i) => `${i === 0 ? "M" : "L"}${px} ${py}`).join("");
  const kind = `line c${line.color}${line.isDashed ? " dashed" : ""}`;
  const marks = line.hasMarks
    ? line.points.map(([px, py], i) => {
        const [cx, cy] = places[i]!;
        const tip = escapeHtml(`${line.name}: ${y.format(py)} at ${x.format(px)}`);
        const mark = `<circle class="mark c${line.color}" cx="${cx}" cy="${cy}" r="3">`;
        return `${mark}<title>${tip}</title></circle>`;
      })
    : [];
  return `<path class="${kind}" d="${path}"><title>${escapeHtml(line.name)}</title></path>${marks.join("")}`;
}
