/** Log files that are moved, missing, full or shared cost lines at most, never an exception. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AccessLogs } from "../../src/observe/access-log.ts";
import { ErrorLog } from "../../src/observe/error-log.ts";
import { LogFile, logFileProblem } from "../../src/observe/log-file.ts";
import { systemClock } from "../../src/transport/clock.ts";
import { patienceMs } from "../support/times.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gp-log-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const linesOf = (file: string) => readFileSync(file, "utf8").split("\n").slice(0, -1);
const until = (check: () => void) => vi.waitFor(check, { timeout: patienceMs, interval: 5 });

test("lines of an access log reach the file without a flush", async () => {
  const file = join(folder, "a.log");
  const logs = new AccessLogs(
    () => {},
    () => 0,
  );
  logs.sink(file).write("one\n");
  logs.sink(file).write("two\n");
  await until(() => expect(linesOf(file)).toEqual(["one", "two"]));
  logs.close();
});

test("after a rotation the old lines are in the old file and the new ones in the new file", async () => {
  const file = join(folder, "a.log");
  const logs = new AccessLogs(
    () => {},
    () => 0,
  );
  const sink = logs.sink(file);
  for (let i = 0; i < 5000; i += 1) sink.write(`old ${i} ${"x".repeat(50)}\n`);
  renameSync(file, `${file}.1`);
  logs.reopen();
  sink.write("new\n");
  await until(() => {
    expect(linesOf(file)).toEqual(["new"]);
    expect(linesOf(`${file}.1`)).toHaveLength(5000);
  });
  expect(linesOf(`${file}.1`).every((line, i) => line.startsWith(`old ${i} `))).toBe(true);
  logs.close();
});

test("two writers of one file tear no line", async () => {
  const file = join(folder, "shared.log");
  const writers = [
    new AccessLogs(
      () => {},
      () => 0,
    ),
    new AccessLogs(
      () => {},
      () => 0,
    ),
  ];
  for (let i = 0; i < 3000; i += 1) {
    writers.forEach((logs, w) => {
      logs.sink(file).write(`${w} ${i} ${"é".repeat(20)}.\n`);
    });
  }
  for (const logs of writers) logs.close();
  await until(() => expect(linesOf(file)).toHaveLength(6000));
  expect(linesOf(file).every((line) => /^[01] \d+ é{20}\.$/.test(line))).toBe(true);
});

test("a missing folder loses lines, says so once, and is no exception", () => {
  const onError = vi.fn();
  const logs = new AccessLogs(onError, () => 0);
  const sink = logs.sink(join(folder, "missing", "a.log"));
  for (let i = 0; i < 2000; i += 1) sink.write(`${"x".repeat(100)}\n`);
  logs.flush();
  logs.reopen();
  logs.close();
  expect(onError).toHaveBeenCalledTimes(1);
  expect(onError.mock.calls[0]?.[0]).toMatch(/loses lines: ENOENT/);
});

test.skipIf(!existsSync("/dev/full"))("a full disk loses lines and is no exception", async () => {
  for (const sync of [true, false]) {
    const onError = vi.fn();
    const log = new LogFile({ file: "/dev/full", sync, onError });
    log.write("lost\n");
    await until(() => expect(onError).toHaveBeenCalled());
    expect(onError.mock.calls[0]?.[0].code).toBe("ENOSPC");
    for (let i = 0; i < 200; i += 1) log.write(`${"x".repeat(65_536)}\n`);
    expect(log.dropped).toBeGreaterThan(0);
    expect(onError).toHaveBeenCalledTimes(1);
    log.flush();
    log.close();
    log.write("after the end\n");
  }
});

test("the error log writes nginx's form, at and above its level", () => {
  const file = join(folder, "error.log");
  const log = new ErrorLog({ file, level: "warn", thread: 3, sync: true, clock: systemClock });
  log.notice("unseen");
  log.error("upstream gone\nforged line", { client: "10.0.0.1", request: "GET / HTTP/1.1", n: 1 });
  expect(log.isOn("info")).toBe(false);
  log.configure({ file, level: "info" });
  log.info("seen", { nothing: undefined });
  log.close();
  const [first, second, ...others] = linesOf(file);
  expect(first).toMatch(
    /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[error\] \d+#3: upstream gone\\x0Aforged/,
  );
  expect(first).toMatch(/line, client: 10\.0\.0\.1, request: "GET \/ HTTP\/1\.1", n: 1$/);
  expect(second).toMatch(/\[info\] \d+#3: seen$/);
  expect(others).toEqual([]);
});

test("a log that cannot be opened is named as nginx names it", () => {
  expect(logFileProblem(join(folder, "ok.log"))).toBeUndefined();
  expect(logFileProblem("stderr")).toBeUndefined();
  expect(logFileProblem(join(folder, "no", "a.log"))).toBe(
    `open() "${folder}/no/a.log" failed (2: No such file or directory)`,
  );
  expect(logFileProblem(folder)).toBe(`open() "${folder}" failed (21: Is a directory)`);
});
