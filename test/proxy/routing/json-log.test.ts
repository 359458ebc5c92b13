/** A line of the JSON access log is valid JSON whatever a client sends, and has no prompt and no key. */
import { expect, it } from "vitest";
import { outcomes } from "../../../src/proxy/context/outcomes.ts";
import { ResponseMeter } from "../../../src/proxy/context/response-meter.ts";
import { JsonLog } from "../../../src/proxy/routing/json-log.ts";
import { contextOf, legRecord, request } from "./contexts.ts";

type Change = (context: ReturnType<typeof contextOf>) => void;

function logged(text: string, change: Change = () => {}): Record<string, unknown> {
  let written = "";
  const context = contextOf(text);
  change(context);
  new JsonLog({ write: (line) => (written += line) }).write(context);
  expect(written).toMatch(/^[^\n]*\n$/);
  return JSON.parse(written) as Record<string, unknown>;
}

it.each([
  ['q"uote \\ back', 'q"uote \\ back'],
  ["tab\there", "tab\there"],
  ["\xc3\xa9\xf0\x9f\x98\x80", "é😀"],
  ["\xff\xfe no UTF-8", "ÿþ no UTF-8"],
  ["\xc3", "Ã"],
  ["\xe2\x80\xa8 line separator", "\u2028 line separator"],
])("the header value %j is JSON", (value, expected) => {
  expect(logged(request("/", `User-Agent: ${value}`))["user_agent"]).toBe(expected);
});

it.each([
  ['"a\\"b\\u00e9"', 'a"bé'],
  ['"bad \\x escape"', "bad \\x escape"],
  ['"\\ud800"', "\ud800"],
  ["17", "17"],
  ["null", undefined],
  [`"${"m".repeat(100_000)}"`, undefined],
])("the model %s is JSON", (model, expected) => {
  const { model: written } = logged(request("/v1/completions"), (context) => {
    context.body = Buffer.from(`{"model": ${model}, "prompt": "SECRET-PROMPT"}`, "latin1");
  });
  expect(written).toBe(expected);
});

it("has what is known of a request through prefill and decode, and leaves the rest out", () => {
  const line = logged(request("/v1/chat/completions", "X-Request-Id: mine"), (context) => {
    const { startMs } = context;
    context.body = Buffer.from('{"model": "m", "messages": []}');
    context.route = "/v1";
    context.status = 200;
    context.outcome = outcomes.answered;
    context.heldMs = 3.25;
    context.firstByteMs = startMs + 40;
    context.endMs = startMs + 100;
    context.promptTokens = 70;
    context.cachedTokens = 64;
    const tried = legRecord({ address: "p:1", sentMs: startMs, endMs: startMs + 5, status: 502 });
    const prefill = { sentMs: startMs + 5, endMs: startMs + 25, status: 200 };
    context.prefills = [tried, legRecord({ address: "p:2", ...prefill })];
    context.decodes = [legRecord({ address: "d:1", sentMs: startMs + 26, status: 200 })];
    context.meter = new ResponseMeter();
    const events = Buffer.from('data: {"a": 1}\n\ndata: {"a": 2}\n\ndata: {"a": 3}\n\n');
    context.meter.add(events, 0, events.length);
  });
  expect(line).toMatchObject({
    request_id: "mine",
    client: "127.0.0.1",
    method: "GET",
    path: "/v1/chat/completions",
    status: 200,
    outcome: "GP_OK",
    route: "/v1",
    model: "m",
    prefill_engine: "p:2",
    decode_engine: "d:1",
    retries: 1,
    queue_ms: 3.25,
    prefill_ms: 20,
    transfer_ms: 15,
    ttft_ms: 40,
    duration_ms: 100,
    prompt_tokens: 70,
    cached_tokens: 64,
  });
  expect(Date.parse(String(line["time"]))).not.toBeNaN();
  const refused = logged(request("/"), (context) => {
    context.status = 404;
  });
  expect(Object.keys(refused)).toEqual(
    expect.not.arrayContaining(["model", "prefill_engine", "ttft_ms", "output_tokens"]),
  );
});

it("counts the output by usage where there is one, else by events", () => {
  const outputOf = (response: string) =>
    logged(request("/v1/completions"), (context) => {
      context.status = 200;
      context.firstByteMs = context.startMs;
      context.meter = new ResponseMeter();
      const bytes = Buffer.from(response);
      context.meter.add(bytes, 0, bytes.length);
    });
  const usage = '{"usage": {"prompt_tokens": 9, "completion_tokens": 5}}';
  expect(outputOf(usage)).toMatchObject({
    prompt_tokens: 9,
    output_tokens: 5,
    output_tokens_from: "usage",
  });
  expect(outputOf("data: {}\n\ndata: {}\n\n")).toMatchObject({
    output_tokens: 2,
    output_tokens_from: "events",
  });
  expect(outputOf('{"object": "model"}')).not.toHaveProperty("output_tokens");
});

it("has no key and no prompt", () => {
  const line = logged(
    request("/v1/completions?api_key=s3cr3t-one&x=1", "Authorization: Bearer s3cr3t-two"),
    (context) => {
      context.body = Buffer.from(
        '{"model": "sk-s3cr3t-three-0123456789", "prompt": "s3cr3t-four"}',
      );
    },
  );
  expect(JSON.stringify(line)).not.toContain("s3cr3t");
  expect(line["path"]).toBe("/v1/completions?api_key=***&x=1");
});
