/** Engine profiles are possible engines, near what others have measured, and all in the documentation. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dense70b, type EngineProfile, prefillMs } from "../../src/lab/profile.ts";
import { readProfile } from "../../src/lab/profiles/file.ts";
import { profiles } from "../../src/lab/profiles/index.ts";

it.each([...profiles])("%s fits into its memory, and says where it comes from", (name, profile) => {
  expect(profile.name).toBe(name);
  expect(profile.source.length).toBeGreaterThan(20);
  expect(profile.kvTokens).toBeGreaterThan(100_000);
  for (const [key, value] of Object.entries(profile)) {
    if (key !== "prefillBatchTokens" && typeof value === "number") expect(value).toBeGreaterThan(0);
  }
  const docs = readFileSync("docs/lab.md", "utf8");
  expect(docs).toContain(`\`${name}\``);
});

/** Prompt tokens that an engine can compute in a second, in prompts of 4,000 tokens, in full batches. */
function prefillRate(profile: EngineProfile): number {
  const ms = prefillMs(profile, 4_000, 4_000) - profile.prefillBaseMs / 2;
  return 4_000_000 / ms;
}

function decodeRate(profile: EngineProfile, batch: number, tokens: number): number {
  const { stepBaseMs, stepRequestMs, stepKvTokenMs } = profile;
  return (1000 * batch) / (stepBaseMs + batch * (stepRequestMs + tokens * stepKvTokenMs));
}

describe("formulas are within half of what was measured", () => {
  it.each([
    // DeepSeek, day 6 of the open-source week: 73.7k tokens/s on 8 H800, of which 56.3 % were cached.
    ["deepseek-v3-8xh200", 73_700 * (1 - 0.563), prefillRate],
    // The same: 14.8k tokens/s at 20 to 22 tokens/s a request, of 4,989 KV tokens on average.
    ["deepseek-v3-8xh200", 14_800, (p: EngineProfile) => decodeRate(p, 14_800 / 21, 4_989)],
    // What docs/lab.md's metrics are made with.
    ["llama-3.1-70b-8xa100", prefillRate(dense70b), prefillRate],
    [
      "llama-3.1-70b-8xa100",
      decodeRate(dense70b, 64, 4_000),
      (p: EngineProfile) => decodeRate(p, 64, 4_000),
    ],
  ] as const)("%s: %d tokens/s", (name, measured, rate) => {
    const factor = rate(profiles.get(name)!) / measured;
    expect(factor).toBeGreaterThan(0.5);
    expect(factor).toBeLessThan(1.5);
  });
});

it("a profile is read from a file, and refused with what is wrong in it", () => {
  const folder = mkdtempSync(join(tmpdir(), "gp-profile-"));
  try {
    const file = join(folder, "mine.json");
    const write = (text: string) => writeFileSync(file, text);
    write(JSON.stringify({ ...dense70b, name: "mine" }));
    expect(readProfile(file)).toEqual({ ...dense70b, name: "mine" });
    write(JSON.stringify({ ...dense70b, stepBaseMs: 0 }));
    expect(() => readProfile(file)).toThrow(/mine\.json: "stepBaseMs": /);
    write("{");
    expect(() => readProfile(file)).toThrow(/mine\.json: .*JSON/);
    expect(() => readProfile(join(folder, "none.json"))).toThrow(/none\.json: ENOENT/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
