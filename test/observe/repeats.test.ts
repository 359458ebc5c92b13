/** A failing fleet must not fill the disk with the same line, nor hide how often it failed. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { repeatWindowMs } from "../../src/limits.ts";
import { ErrorLog } from "../../src/observe/error-log.ts";
import { Repeats } from "../../src/observe/repeats.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gp-repeats-"));
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

function logged(level: "debug" | "warn" = "warn") {
  const file = join(folder, "e.log");
  const log = new ErrorLog({ file, level, thread: 1, sync: true, clock: { wallMs: () => 0 } });
  const lines = () => readFileSync(file, "utf8").split("\n").slice(0, -1);
  return { log, messages: () => lines().map((line) => line.replace(/^.*?#1: /, "")) };
}

test("a line that repeats is written once a second, with how often it was", () => {
  const { log, messages } = logged();
  for (let i = 0; i < 160; i += 1) log.error("decode failed at a:1", { request: `r-${i}` });
  log.error("decode failed at a:2");
  expect(messages()).toEqual(["decode failed at a:1, request: r-0", "decode failed at a:2"]);
  vi.advanceTimersByTime(repeatWindowMs);
  expect(messages()[2]).toBe("decode failed at a:1: … and 159 more in 1 s");
  log.error("decode failed at a:1");
  expect(messages()[3]).toBe("decode failed at a:1");
});

test("a line that does not repeat is followed by nothing, and another level is another line", () => {
  const { log, messages } = logged();
  log.warn("one");
  log.error("one");
  vi.advanceTimersByTime(2 * repeatWindowMs);
  expect(messages()).toEqual(["one", "one"]);
});

test("what was counted is written before the log is closed, flushed or moved", () => {
  for (const end of ["close", "flush", "reopen"] as const) {
    const { log, messages } = logged();
    log.warn(end);
    log.warn(end);
    log[end]();
    expect(messages().at(-1)).toBe(`${end}: … and 1 more in 1 s`);
    log.close();
  }
});

test("debug has all lines", () => {
  const { log, messages } = logged("debug");
  log.debug("x");
  log.debug("x");
  expect(messages()).toHaveLength(2);
});

test("however many lines differ, few are remembered, and no count is lost", () => {
  let said = 0;
  const repeats = new Repeats(() => {
    said += 1;
  });
  for (let i = 0; i < 1_000; i += 1) {
    expect(repeats.isRepeat("warn", `line ${i}`)).toBe(false);
    expect(repeats.isRepeat("warn", `line ${i}`)).toBe(true);
  }
  // All but those that are remembered.
  expect(said).toBe(1_000 - 256);
  repeats.flush();
  expect(said).toBe(1_000);
});
