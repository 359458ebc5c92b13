/** Calibrating a simulated engine finds the times of its switches, and `simulate` takes what it prints. */
import { afterAll, describe, expect, test } from "vitest";
import { oneRuntime } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";
import { scaled } from "../support/times.ts";

/** Slow enough for the delays of a busy machine to matter little. */
const tokenMs = scaled(1) / 2;
const itlMs = scaled(15);
const penaltyMs = scaled(3);
const timing = [
  ...["--prefill-tokens-per-second", `${1_000 / tokenMs}`],
  ...["--itl-ms", `${itlMs}`, "--batch-penalty-ms", `${penaltyMs}`],
];
/** Others may use the machine just during one calibration. */
const attempts = 5;
const few = ["--prompt-tokens", "512", "--batch", "4", "--repeats", "2"];

describe.each(oneRuntime("calibrate"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  afterAll(() => stack.end());

  test("the fit is about what the engine's switches say", async () => {
    const [engine] = (await stack.startEngines("mixed", 1, timing)) as [Engine];
    let printed = "";
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const { code, stdout, stderr } = stack.run("calibrate", engine.url, ...few, "--json");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      printed = stdout;
      const ratios = ratiosOf(JSON.parse(stdout) as Record<string, number>);
      // How exact a fit is, is shown without a clock (test/lab/calibrate/).
      if (ratios.every((ratio) => ratio > 0.8 && ratio < 2)) break;
      expect(attempt, `measured / switches: ${ratios}`).toBeLessThan(attempts);
    }
    stack.write("mine.json", printed);
    const words = ["--synthetic", "poisson:1,requests=20", "--engine-profile", "mine.json"];
    expect(stack.run("simulate", ...words).code).toBe(0);
  });

  /** Measured times, each divided by what the switches say. */
  function ratiosOf(profile: Readonly<Record<string, number>>): number[] {
    const prefillMs = (tokens: number) =>
      profile["prefillBaseMs"]! +
      profile["prefillTokenMs"]! * tokens +
      profile["prefillPairMs"]! * tokens ** 2;
    const stepMs = (batch: number) =>
      profile["stepBaseMs"]! +
      profile["stepRequestMs"]! * batch +
      profile["stepKvTokenMs"]! * batch * 200;
    return [
      ...[150, 300, 512].map((tokens) => prefillMs(tokens) / (tokens * tokenMs)),
      ...[1, 4].map((batch) => stepMs(batch) / (itlMs + penaltyMs * (batch - 1))),
    ];
  }

  test("an address without an engine, a rejected request and one that never ends are errors", async () => {
    const [engine] = (await stack.startEngines("mixed", 1)) as [Engine];
    const refusal = (...words: string[]) => {
      const { code, stderr } = stack.run("calibrate", ...words);
      expect(code).toBe(1);
      return stderr;
    };
    expect(refusal("localhost")).toContain('"localhost" is not a URL');
    expect(refusal("http://127.0.0.1:1")).toMatch(/http:\/\/127\.0\.0\.1:1: .+/);
    expect(refusal(engine.url, "--model", "none")).toMatch(/responded with 404/);
    expect(refusal(engine.url, "--batch", "0")).toContain("whole number from 1 to 256");
    await engine.setFault({ kind: "stall" });
    expect(refusal(engine.url, "--timeout", "2")).toContain("no result after 2 s");
  });
});
