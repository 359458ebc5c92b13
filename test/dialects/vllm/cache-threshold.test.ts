/** What decode is asked with, and how its answer is told from one that gives the prompt back. */
import { describe, expect, it } from "vitest";
import { cacheThreshold } from "../../../src/dialects/vllm/cache-threshold.ts";
import { Attempt, engines, prefillBody, requestOf, strippedBody } from "../legs.ts";

const choice = (finish: string, more: string) => `{"index":0,${more},"finish_reason":${finish}}`;
const whole = (finish: string, text = "") =>
  `{"id":"a","choices":[${choice(finish, `"text":${JSON.stringify(text)}`)}],"usage":{}}`;
const event = (json: string) => `data: ${json}\n\n`;
const opening = event(
  `{"choices":[${choice("null", `"delta":{"role":"assistant","content":""}`)}]}`,
);
const words = event(`{"choices":[${choice("null", `"delta":{"content":"a"}`)}]}`);
const miss = event(`{"choices":[${choice('"cache_threshold"', `"delta":{"content":""}`)}]}`);
const done = event("[DONE]");

/** The verdict on each part as it comes, and at the end, until there is one. */
function verdicts(parts: readonly string[]): string[] {
  const round = new Attempt(cacheThreshold, "{}");
  round.decode();
  const seen: string[] = [];
  let body = "";
  for (const part of parts) {
    body += part;
    const verdict = round.transfer.inspectDecode!(Buffer.from(body), false);
    seen.push(verdict);
    if (verdict !== "incomplete") return seen;
  }
  return [...seen, round.transfer.inspectDecode!(Buffer.from(body), true)];
}

describe("a response in one piece", () => {
  it.each([
    ["gives the prompt back", whole('"cache_threshold"'), "needs-prefill"],
    ["is one", whole('"stop"', 'say "finish_reason":"cache_threshold"'), "deliver"],
    [
      "has the word in another choice only",
      whole('"stop"').replace("]", `,${choice('"cache_threshold"', '"text":""')}]`),
      "deliver",
    ],
    ["is no JSON", "{", "deliver"],
    ["is empty", "", "deliver"],
  ])("that %s", (_name, body, verdict) => {
    const half = Math.floor(body.length / 2);
    expect(verdicts([body.slice(0, half), body.slice(half)])).toEqual([
      "incomplete",
      "incomplete",
      verdict,
    ]);
  });

  it("that is long is not held to its end", () => {
    expect(verdicts([whole('"length"', "x".repeat(70_000)).slice(0, 69_000)])[0]).toBe("deliver");
  });
});

describe("a stream", () => {
  it.each([
    [
      "that gives the prompt back, at once",
      [miss, done],
      ["incomplete", "incomplete", "needs-prefill"],
    ],
    [
      "that does it after its opening",
      [opening, miss, done],
      ["incomplete", "incomplete", "incomplete", "needs-prefill"],
    ],
    ["of words", [words], ["deliver"]],
    ["of a chat", [opening, words], ["incomplete", "deliver"]],
    ["that ends by another reason", [event(whole('"stop"'))], ["deliver"]],
    ["of an error", [event(`{"error":{}}`)], ["deliver"]],
    ["with a comment before", [": ping\n\n", miss], ["incomplete", "incomplete", "needs-prefill"]],
    ["that ends after its opening", [opening], ["incomplete", "deliver"]],
  ] as const)("%s", (_name, parts, expected) => {
    expect(verdicts(parts)).toEqual(expected);
  });

  it.each([
    [[opening, miss, done], "needs-prefill"],
    [[opening, words, miss, done], "deliver"],
  ] as const)("cut at any byte means the same", (events, expected) => {
    const text = events.join("");
    for (let at = 1; at < text.length; at += 1) {
      expect(verdicts([text.slice(0, at), text.slice(at)]).at(-1)).toBe(expected);
    }
    const seen = verdicts([...text]);
    expect(seen.at(-1)).toBe(expected);
    // Nothing goes to the client before it is known whose answer it is.
    if (expected === "needs-prefill") expect(seen.slice(0, -1)).not.toContain("deliver");
  });
});

describe("the threshold", () => {
  const decodeWith = (body: string, attributes = {}) =>
    new Attempt(cacheThreshold, body).decode({
      ...engines,
      decode: { ...engines.decode!, attributes },
    });

  it.each([
    ["0.8 when nobody says one", `{"a":1}`, {}, `{"a":1,"cache_hit_threshold":0.8}`],
    [
      "the engine's",
      `{"a":1}`,
      { cache_hit_threshold: "0.35" },
      `{"a":1,"cache_hit_threshold":0.35}`,
    ],
    [
      "never what is no share",
      `{"a":1}`,
      { cache_hit_threshold: '7,"n":2' },
      `{"a":1,"cache_hit_threshold":0.8}`,
    ],
    [
      "the client's",
      `{"cache_hit_threshold":0.12}`,
      { cache_hit_threshold: "0.3" },
      `{"cache_hit_threshold":0.12}`,
    ],
    ["not the client's null", `{"cache_hit_threshold":null}`, {}, `{"cache_hit_threshold":0.8}`],
  ])("is %s", (_name, body, attributes, expected) => {
    expect(decodeWith(body, attributes)).toBe(expected);
  });

  it("is 0 for the prefill, for decode after it, and for decode alone: none of them may give it back", () => {
    const body = `{"a":1,"cache_hit_threshold":0.9}`;
    expect(prefillBody(cacheThreshold, body)).toBe(
      `{"a":1,"cache_hit_threshold":0,"max_tokens":1}`,
    );
    const round = new Attempt(cacheThreshold, body);
    expect(round.decode()).toBe(body);
    round.transfer.prefillResponded(Buffer.from("{}"));
    expect(round.decode()).toBe(`{"a":1,"cache_hit_threshold":0}`);
    expect(strippedBody(cacheThreshold, body)).toBe(`{"a":1,"cache_hit_threshold":0}`);
  });
});

it.each([
  [`{"prompt":"x"}`, "/v1/completions", true],
  [`{"messages":[]}`, "/v1/chat/completions", true],
  [`{"prompt":"x","echo":true}`, "/v1/completions", false],
  [`{"prompt":"x","prompt_logprobs":1}`, "/v1/completions", false],
  [`{"input":"x"}`, "/v1/responses", false],
])("whether %s to %s can be judged: %s", (body, path, expected) => {
  expect(cacheThreshold.supports!(requestOf(body, path))).toBe(expected);
});
