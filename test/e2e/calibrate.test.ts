/** A calibration of a simulated engine finds the times that its switches say, and what it prints can be simulated with. */
import { afterAll, describe, expect, test } from "vitest";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, Stack } from "../support/stack.ts";

// Slow enough for the times of a busy machine to matter little.
const timing = ["--prefill-tokens-per-second", "2000", "--itl-ms", "15", "--batch-penalty-ms", "3"];
const few = ["--prompt-tokens", "512", "--batch", "4", "--repeats", "2"];

describe.each(bunAndOneNode("calibrate"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  afterAll(() => stack.end());

  test("the fit is about what the engine was told to be", async () => {
    const [engine] = (await stack.startEngines("mixed", 1, timing)) as [Engine];
    const { code, stdout, stderr } = stack.run("calibrate", engine.url, ...few, "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const profile = JSON.parse(stdout) as Record<string, number>;
    const prefillMs = (tokens: number) =>
      profile["prefillBaseMs"]! +
      profile["prefillTokenMs"]! * tokens +
      profile["prefillPairMs"]! * tokens ** 2;
    const stepMs = (batch: number) =>
      profile["stepBaseMs"]! +
      profile["stepRequestMs"]! * batch +
      profile["stepKvTokenMs"]! * batch * 200;
    // A busy machine makes everything slower, and nothing faster; how exact a fit is, is shown without a clock (test/lab/calibrate/).
    const isAbout = (measured: number, reported: number, what: string) => {
      expect(measured / reported, what).toBeGreaterThan(0.8);
      expect(measured / reported, what).toBeLessThan(2);
    };
    for (const tokens of [150, 300, 512])
      isAbout(prefillMs(tokens), tokens / 2, `${tokens} tokens`);
    for (const batch of [1, 4]) isAbout(stepMs(batch), 15 + 3 * (batch - 1), `batch of ${batch}`);
    stack.write("mine.json", stdout);
    const words = ["--synthetic", "poisson:1,requests=20", "--engine-profile", "mine.json"];
    expect(stack.run("simulate", ...words).code).toBe(0);
  }, 60_000);

  test("what is no engine, refuses or never ends is told", async () => {
    const [engine] = (await stack.startEngines("mixed", 1)) as [Engine];
    const refusal = (...words: string[]) => {
      const { code, stderr } = stack.run("calibrate", ...words);
      expect(code).toBe(1);
      return stderr;
    };
    expect(refusal("localhost")).toContain('"localhost" is no URL');
    expect(refusal("http://127.0.0.1:1")).toMatch(/http:\/\/127\.0\.0\.1:1: .+/);
    expect(refusal(engine.url, "--model", "none")).toMatch(/answered 404/);
    expect(refusal(engine.url, "--batch", "0")).toContain("whole number from 1 to 256");
    await engine.setFault({ kind: "stall" });
    expect(refusal(engine.url, "--timeout", "2")).toContain("no result after 2 s");
  });
});
