/** A pid file must lead to the process that wrote it and to no other: not to a zombie, not to a later one with its pid. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  isInstance,
  readPid,
  removePidFile,
  runningInstance,
  writePidFile,
} from "../../../src/control/process/pid-file.ts";
import { sendSignal } from "../../../src/control/process/send-signal.ts";

let folder: string;
let file: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gp-pid-"));
  file = join(folder, "proxy.pid");
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

function child(command: string): ChildProcess {
  const started = spawn("sh", ["-c", command]);
  children.push(started);
  return started;
}

test("the file is one line, the pid, and names this process", () => {
  expect(writePidFile(file)).toBeUndefined();
  expect(readFileSync(file, "utf8")).toBe(`${process.pid}\n`);
  expect(isInstance(process.pid, file)).toBe(true);
  removePidFile(file);
  expect(readPid(file)).toHaveProperty("problem");
});

test("a place where nobody can write is told from an instance that runs already", () => {
  const nowhere = writePidFile(join(folder, "none", "proxy.pid"));
  expect(nowhere).toMatchObject({ isUnwritable: true, message: expect.stringContaining("open()") });
  const other = child("exec sleep 30");
  const stat = readFileSync(`/proc/${other.pid}/stat`, "latin1");
  const start = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  writeFileSync(file, `${other.pid}\n`);
  utimesSync(file, start / 100, start / 100);
  expect(writePidFile(file)).toMatchObject({ isUnwritable: false });
});

describe.skipIf(process.platform !== "linux")("by the start time", () => {
  test("a process that had started before, and got no pid file of ours, is a stranger", () => {
    const stranger = child("exec sleep 30");
    writeFileSync(file, `${stranger.pid}\n`);
    expect(runningInstance(file)).toBeUndefined();
    expect(sendSignal(file, "stop")!.message).toContain("it is another program");
    expect(stranger.exitCode).toBeNull();
    expect(writePidFile(file)).toBeUndefined();
    expect(readPid(file)).toBe(process.pid);
  });

  test("a process that has the pid of one that died is a stranger, however soon it came", () => {
    writePidFile(file);
    const later = child("exec sleep 30");
    // As if it had the pid of this process: the time of the file stays.
    expect(isInstance(later.pid!, file)).toBe(false);
  });

  test("a zombie does not run", async () => {
    // The child ends, and the parent, which is another program by then, never asks for it.
    const parent = child("sleep 0.2 & echo $!; exec sleep 30");
    const [line] = (await once(parent.stdout!, "data")) as [Buffer];
    const zombie = Number(line);
    await expect
      .poll(() => readFileSync(`/proc/${zombie}/stat`, "utf8"), { timeout: 10_000 })
      .toContain(") Z ");
    writeFileSync(file, `${zombie}\n`);
    expect(runningInstance(file)).toBeUndefined();
    expect(sendSignal(file, "quit")).toEqual({
      level: "alert",
      message: `kill(${zombie}, SIGQUIT) failed (3: No such process)`,
    });
  });
});
