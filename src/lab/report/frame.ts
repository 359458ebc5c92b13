/** What all plots share: size, axes, grid and heading. */
import { type Axis, escapeHtml } from "./axis.ts";

export const width = 560;
export const height = 300;
export const left = 58;
export const right = 14;
export const top = 10;
export const bottom = 42;

/** From a share of the plot's area to a coordinate. */
export const xOf = (share: number) => round(left + share * (width - left - right));
export const yOf = (share: number) => round(height - bottom - share * (height - top - bottom));

/** A tenth of a unit is finer than any screen shows. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export interface Labelled {
  readonly axis: Axis;
  readonly title: string;
  format(value: number): string;
}

export function grid(x: Labelled | undefined, y: Labelled): string {
  const parts: string[] = [];
  for (const tick of y.axis.ticks) {
    const at = yOf(y.axis.at(tick));
    parts.push(`<path class="grid" d="M${left} ${at}H${width - right}"/>`);
    parts.push(text(left - 7, at + 4, y.format(tick), "end"));
  }
  for (const tick of x?.axis.ticks ?? []) {
    const at = xOf(x!.axis.at(tick));
    parts.push(`<path class="grid" d="M${at} ${top}V${height - bottom}"/>`);
    parts.push(text(at, height - bottom + 16, x!.format(tick), "middle"));
  }
  parts.push(`<path class="axis" d="M${left} ${height - bottom}H${width - right}"/>`);
  if (x !== undefined) parts.push(axisTitle(x.title));
  return parts.join("");
}

function axisTitle(title: string): string {
  return text((left + width - right) / 2, height - 6, title, "middle", "title");
}

export function text(
  x: number,
  y: number,
  words: string,
  anchor: "start" | "middle" | "end",
  kind = "tick",
): string {
  return `<text class="${kind}" x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escapeHtml(words)}</text>`;
}

/** @param note one sentence on how to read it */
export function figure(heading: string, note: string, svg: string, svgHeight = height): string {
  const label = escapeHtml(heading);
  const open = `<svg viewBox="0 0 ${width} ${svgHeight}" role="img" aria-label="${label}">`;
  return `<figure><h3>${label}</h3><p>${escapeHtml(note)}</p>${open}${svg}</svg></figure>\n`;
}
