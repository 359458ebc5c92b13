/**
 * Every parser of what others send, on damaged input. `npm test` takes a few hundred inputs for each; `npm run test:fuzz
 * -- --seconds 60 --seed N` as many as the time allows.
 */
import { describe, expect, it, test } from "vitest";
import { corpusOf, fuzz, run, type Target } from "./fuzzer.ts";
import { chunked, json, sse } from "./targets/bodies.ts";
import { nginx, yaml } from "./targets/configurations.ts";
import { requestHead, responseHead } from "./targets/heads.ts";
import { msgpack, zmtp } from "./targets/kv-events.ts";

const targets = [requestHead, responseHead, chunked, json, sse, nginx, yaml, msgpack, zmtp];

const {
  GLOBAL_PROXY_FUZZ_SECONDS: seconds = "",
  GLOBAL_PROXY_FUZZ_SEED: seed = "1",
  GLOBAL_PROXY_FUZZ_TARGET: only = "",
  GLOBAL_PROXY_FUZZ_INPUT: input = "",
} = process.env;
const chosen = targets.filter(({ name }) => only === "" || name === only);
const isLong = seconds !== "";

describe.runIf(input === "").each(chosen)("$name", (target: Target) => {
  it.each(corpusOf(target))("the corpus: $name", ({ bytes }) => {
    for (let cut = 0; cut < 5; cut += 1) run(target, bytes, cut);
  });

  it("damaged input", isLong ? { timeout: 600_000 } : {}, () => {
    const startMs = performance.now();
    const shareMs = (Number(seconds) * 1_000) / chosen.length;
    const budget = isLong
      ? { inputs: Number.POSITIVE_INFINITY, untilMs: startMs + shareMs }
      : { inputs: 400, untilMs: Number.POSITIVE_INFINITY };
    const count = fuzz(target, { seed: Number(seed), ...budget }, () => performance.now());
    expect(count).toBeGreaterThan(0);
  });
});

test.runIf(input !== "")(`${only}: the input that failed`, () => {
  expect(chosen.map(({ name }) => name)).toEqual([only]);
  run(chosen[0]!, Buffer.from(input, "base64"), Number(seed));
});

it("a failure says how it is replayed", () => {
  const broken: Target = {
    name: "request-head",
    words: ["x"],
    check() {
      throw new Error("broken");
    },
  };
  const budget = { seed: 7, inputs: 1, untilMs: Number.POSITIVE_INFINITY };
  expect(() => fuzz(broken, budget, () => 0)).toThrow(
    /with seed 7[\s\S]*replay: npm run test:fuzz -- --target request-head --seed 7 --input \S+/,
  );
});
