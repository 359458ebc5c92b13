/** `global-proxy simulate` as a user types it: what it prints where, and how it refuses. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCommand } from "../../support/command.ts";
import { oneRuntime } from "../../support/runtimes.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gp-simulate-"));
  const line = (i: number) =>
    JSON.stringify({
      timestamp: i * 200,
      input_length: 2000 + 100 * (i % 7),
      output_length: 20,
      hash_ids: [i % 5],
    });
  writeFileSync(
    join(folder, "trace.jsonl"),
    Array.from({ length: 60 }, (_, i) => line(i)).join("\n"),
  );
  writeFileSync(join(folder, "bad.jsonl"), `${line(0)}\n{"timestamp": 5, "input_length": "x"}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(oneRuntime("simulate"))("on %s", (runtime) => {
  const simulate = (...args: string[]) =>
    runCommand(["simulate", ...args], { runtime, cwd: folder });

  test("--json prints one object for each policy and scale, with the promised members", () => {
    const { code, stdout, stderr } = simulate(
      "trace.jsonl",
      ...["--policies", "least_bytes,predictive", "--scale", "1,3", "--json"],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const rows = stdout.trim().split("\n");
    expect(rows).toHaveLength(4);
    const members = ["policy", "scale", "completed", "refused", "ttftMs", "tpotMs", "hitRate"];
    for (const row of rows) {
      const object = JSON.parse(row) as Record<string, unknown>;
      expect(Object.keys(object)).toEqual([...members, "jain", "goodput", "fairGoodput"]);
      expect(Object.keys(object["ttftMs"] as object)).toEqual(["p50", "p90", "p99"]);
      expect(object).toMatchObject({ completed: 60, refused: 0 });
    }
  });

  test("--report writes a page beside the table", () => {
    const { code, stdout } = simulate("trace.jsonl", "--report", "report.html");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^policy +scale/);
    const page = readFileSync(join(folder, "report.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
  });

  test("--plan names a fleet for each policy; --synthetic takes the place of a trace", () => {
    const words = ["--synthetic", "poisson:2,requests=100", "--plan", "--policies", "least_bytes"];
    const { code, stdout } = simulate(...words, "--json", "--rate", "4");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ policy: "least_bytes", rate: 4, isEnough: true });
    const split = simulate(...words, "--engines", "3");
    expect(split.stdout).toMatch(/least_bytes +[12] +[12] +3 /);
    expect(split.stdout).toContain("SLO: TTFT within 5 ×");
  });

  test.each([
    [["trace.jsonl", "--synthetic", "poisson:1"], /either a trace file or --synthetic/],
    [[], /either a trace file or --synthetic/],
    [["--synthetic", "poisson"], /--synthetic: "poisson" is not poisson:/],
    [["trace.jsonl", "--plan", "--engines", "1"], /must be at least 2/],
    [["trace.jsonl", "--slo", "tpot=x"], /tpot is ms, not "x"/],
    [
      ["trace.jsonl", "--report", "no/such/folder.html"],
      /\[emerg\] open\(\) "no\/such\/folder\.html" failed/,
    ],
    [["trace.jsonl", "--plan", "--report", "r.html"], /--report cannot be combined with --plan/],
    [["trace.jsonl", "--plan", "--goodput"], /--goodput cannot be combined with --plan/],
    [["trace.jsonl", "--plan", "--prefill", "4"], /--prefill cannot be combined with --plan/],
    [["trace.jsonl", "--rate", "4"], /--rate needs --plan/],
    [["trace.jsonl", "--engines", "4"], /--engines needs --plan/],
    [["none.jsonl"], /\[emerg\] none\.jsonl: .*no such file/i],
    [["bad.jsonl"], /bad\.jsonl: line 2: "input_length" must be a number of at least 1/],
    [["trace.jsonl", "--policies", "least_byte"], /unknown policy "least_byte"; did you mean/],
    [["trace.jsonl", "--prefill", "0"], /must be a whole number from 1 to 1024/],
    [["trace.jsonl", "--engine-profile", "none"], /unknown profile; known: dense-70b/],
  ])("%j is refused", (args, message) => {
    const { code, stderr } = simulate(...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});
