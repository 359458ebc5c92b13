/** How busy each engine was over time: a row for each engine, in a stronger colour where it was busier. */
import { duration, elapsed, escapeHtml, percent } from "./axis.ts";
import { figure, left, right, round, text, width } from "./frame.ts";
import type { Series } from "./series.ts";

/** If there are more engines, several share a row. */
const rowsMax = 32;
const heightMax = 15;
const heightMin = 4;
const gap = 10;
/** Shares are rounded to this many steps; neighbours of equal step become one rectangle. */
const steps = 20;

export function heatMap(series: Series): string {
  const prefill = rowsOf(series.prefill);
  const decode = rowsOf(series.decode);
  const rowHeight = Math.max(
    heightMin,
    Math.min(heightMax, 200 / (prefill.length + decode.length)),
  );
  const above = prefill.length * rowHeight + gap;
  const end = above + decode.length * rowHeight;
  const time = elapsed(series.endMs);
  const room = width - left - right;
  const ticks = time.ticks.map((ms) =>
    text(left + room * time.at(ms), end + 16, duration(ms), ms === 0 ? "start" : "middle"),
  );
  const svg =
    text(left - 7, (prefill.length * rowHeight) / 2 + 4, "prefill", "end") +
    rectangles(prefill, 0, rowHeight, "prefill") +
    text(left - 7, above + (decode.length * rowHeight) / 2 + 4, "decode", "end") +
    rectangles(decode, above, rowHeight, "decode") +
    ticks.join("");
  const mean = (rows: readonly (readonly number[])[]) => {
    const all = rows.flat();
    return percent(all.reduce((sum, share) => sum + share, 0) / Math.max(1, all.length));
  };
  const note = `busy ${mean(series.prefill)} of the time, KV cache ${mean(series.decode)} in use, on average`;
  return figure(series.policy, note, svg, end + 22);
}

/** One row for each engine, or for the mean of several neighbours if there are too many. */
function rowsOf(engines: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const group = Math.ceil(engines.length / rowsMax);
  if (group === 1) return engines;
  return Array.from({ length: Math.ceil(engines.length / group) }, (_, row) => {
    const some = engines.slice(row * group, (row + 1) * group);
    return some[0]!.map((_, i) => some.reduce((sum, one) => sum + one[i]!, 0) / some.length);
  });
}

function rectangles(
  rows: readonly (readonly number[])[],
  y: number,
  rowHeight: number,
  role: string,
): string {
  const room = width - left - right;
  return rows
    .map((shares, row) => {
      const at = (part: number) => left + (part / shares.length) * room;
      const top = round(y + row * rowHeight);
      const box = (kind: string, x: number, boxWidth: number) =>
        `<rect class="${kind}" x="${x}" y="${top}" width="${boxWidth}" height="${round(rowHeight - 1)}"`;
      let drawn = `${box("cold", left, room)}><title>${escapeHtml(`${role} ${row}`)}</title></rect>`;
      for (let part = 0; part < shares.length; ) {
        const step = stepOf(shares[part]!);
        let next = part + 1;
        while (next < shares.length && stepOf(shares[next]!) === step) next += 1;
        if (step > 0) {
          const filled = box(role, round(at(part)), round(at(next) - at(part) + 0.2));
          drawn += `${filled} fill-opacity="${step / steps}"/>`;
        }
        part = next;
      }
      return drawn;
    })
    .join("");
}

function stepOf(share: number): number {
  return Math.round(Math.min(1, share) * steps);
}
