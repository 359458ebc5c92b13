/** The points of the last minutes: a ring of numbers, so that its memory is bounded whatever the points are. */
import { dashboardPointMs, historyPointsMax } from "../../limits.ts";
import { type HistoryMessage, type Point, type PointField, pointFields } from "./messages.ts";

export class History {
  /** NaN = there is no number. */
  readonly #values = new Float64Array(historyPointsMax * pointFields.length);
  #next = 0;
  #count = 0;

  /** @returns the point as it is sent */
  add(point: Readonly<Record<PointField, number | null>>): Point {
    const at = this.#next * pointFields.length;
    pointFields.forEach((field, i) => {
      this.#values[at + i] = point[field] ?? Number.NaN;
    });
    const sent = this.#pointAt(this.#next);
    this.#next = (this.#next + 1) % historyPointsMax;
    this.#count = Math.min(this.#count + 1, historyPointsMax);
    return sent;
  }

  message(): HistoryMessage {
    const first = this.#next - this.#count + historyPointsMax;
    const points = Array.from({ length: this.#count }, (_, i) =>
      this.#pointAt((first + i) % historyPointsMax),
    );
    return { everyMs: dashboardPointMs, points };
  }

  #pointAt(index: number): Point {
    const at = index * pointFields.length;
    return Array.from(this.#values.subarray(at, at + pointFields.length), (value) =>
      Number.isNaN(value) ? null : Math.round(value * 100) / 100,
    );
  }
}
