/** Rows of several workers become one sum; a worker that takes the place of another goes on with its rows. */
import { expect, test } from "vitest";
import { SeriesRows, type SeriesSize, seriesRowsLength } from "../../src/scoreboard/series-rows.ts";

const size: SeriesSize = { workers: 3, rows: 4, fields: 2 };

function add(rows: SeriesRows, labels: readonly string[], count: number): void {
  const at = rows.open(labels);
  rows.values[at] = rows.values[at]! + count;
}

test("equal labels of several workers are one series, others are their own", () => {
  const memory = new SharedArrayBuffer(seriesRowsLength(size));
  const workers = [0, 1, 2].map((worker) => new SeriesRows(memory, 0, size, worker));
  add(workers[0]!, ["a", "x"], 1);
  add(workers[1]!, ["b", 'quote " and ü'], 2);
  add(workers[1]!, ["a", "x"], 4);
  add(workers[2]!, ["a", "x"], 8);
  const all = workers[0]!.read().map(({ labels, values }) => [labels, values[0]]);
  expect(all).toEqual([
    [["a", "x"], 13],
    [["b", 'quote " and ü'], 2],
  ]);
});

test("the next worker in a place finds the rows of the one before, and counts on", () => {
  const memory = new SharedArrayBuffer(seriesRowsLength(size));
  add(new SeriesRows(memory, 0, size, 1), ["a"], 3);
  const next = new SeriesRows(memory, 0, size, 1);
  expect(next.known).toEqual([["a"]]);
  add(next, ["a"], 4);
  add(next, ["b"], 5);
  expect(next.read().map(({ values }) => values[0])).toEqual([7, 5]);
});

test("no row is left, or labels that are too long: the caller is told, and nothing is overwritten", () => {
  const memory = new SharedArrayBuffer(seriesRowsLength(size));
  const rows = new SeriesRows(memory, 0, size, 0);
  expect(rows.open(["x".repeat(600)])).toBe(-1);
  for (let i = 0; i < size.rows; i += 1) add(rows, [`${i}`], i);
  expect(rows.open(["one more"])).toBe(-1);
  expect(rows.read().map(({ values }) => values[0])).toEqual([0, 1, 2, 3]);
});
