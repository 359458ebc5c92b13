/** Tables fit the terminal, and never at the cost of what is copied from them. */
import { afterEach, expect, test, vi } from "vitest";
import { columns, terminalWidth, wrapped } from "../../../src/cli/admin/columns.ts";

const id = "7c0e2f5d-7f3c-4a53-9b1e-0c6f2a1d9e11";
const rows = [
  ["came", "id", "path", "status", "outcome", "waited", "end"],
  ["08:54:09.380", id, "/v1/chat/completions/with/a/long/tail", "200", "GP_OK", "4 ms", "134 ms"],
  ["08:54:10.380", "r-2", "/v1/completions", "503", "GP_QUEUE_TIMEOUT", "30.0 s", "30.0 s"],
];
const leftOut = ["waited", "path", "end", "came"];
const linesOf = (width: number) =>
  columns(rows, { width, cut: ["path"], leftOut })
    .trimEnd()
    .split("\n");

afterEach(() => void vi.unstubAllEnvs());

test.each([120, 100, 80, 62])("at %i columns no line is longer, and ids are whole", (width) => {
  const lines = linesOf(width).filter((line) => !line.startsWith("(no room"));
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
  expect(lines[1]).toContain(id);
});

test("with room for all nothing is cut; with less long cells are, and then columns are left out by name", () => {
  expect(linesOf(200)[1]).toContain("/with/a/long/tail  ");
  expect(linesOf(115)[1]).toMatch(/\/v1\/chat\S+…/);
  expect(linesOf(80).at(-1)).toBe("(no room for: waited, path, end; --json has all)");
});

test("an id that is longer than the terminal makes the line longer", () => {
  const [, line] = columns([["id"], ["x".repeat(100)]], { width: 80 }).split("\n");
  expect(line).toBe("x".repeat(100));
});

test("a sentence is broken between words, and a long word is not", () => {
  const lines = wrapped(
    `http://${"h".repeat(90)}: not-ready (no fit engine in a, b), 1 of 1 workers`,
    40,
  );
  expect(lines.split("\n")).toEqual([
    `http://${"h".repeat(90)}:`,
    "  not-ready (no fit engine in a, b), 1",
    "  of 1 workers",
    "",
  ]);
});

test.each([
  ["132", 132],
  ["", 80],
  ["wide", 80],
])("COLUMNS=%s is %i columns where there is no terminal", (value, expected) => {
  vi.stubEnv("COLUMNS", value);
  const { columns: before } = process.stdout;
  process.stdout.columns = 0;
  expect(terminalWidth()).toBe(expected);
  process.stdout.columns = before;
});
