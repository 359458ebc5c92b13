/** An answer's tokens are counted right however its bytes come, and however long it is. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ResponseMeter } from "../../../src/proxy/context/response-meter.ts";

function metered(text: string, cuts: readonly number[] = []): ResponseMeter {
  const bytes = Buffer.from(text);
  const meter = new ResponseMeter();
  const at = [
    0,
    ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b),
    bytes.length,
  ];
  for (let i = 1; i < at.length; i += 1) {
    // Within a larger buffer, as what a socket read may be.
    const part = Buffer.concat([Buffer.from("data: {"), bytes.subarray(at[i - 1], at[i]), event]);
    meter.add(part, 7, part.length - event.length);
  }
  return meter;
}

const event = Buffer.from('data: {"usage":{"completion_tokens":9}}');
const chunk = (text: string) => `data: {"choices":[{"text":"${text}"}]}\n\n`;
const stream = `${chunk("a")}${chunk("data:")}${chunk("c")}data: [DONE]\n\n`;

test("usage is found wherever the bytes are cut, behind any text", () => {
  const whole = `{"choices":[{"text":"${"x".repeat(9000)} \\"completion_tokens\\": 3"}],"usage":{"prompt_tokens":17, "total_tokens" : 60,"completion_tokens": 43},"kv_transfer_params":null}`;
  fc.assert(
    fc.property(fc.array(fc.nat(20_000), { maxLength: 40 }), (cuts) => {
      const { promptTokens, responseTokens } = metered(whole, cuts);
      expect([promptTokens, responseTokens]).toEqual([17, 43]);
    }),
  );
});

test("of a stream without usage the events are counted, but not what ends it", () => {
  const { events, promptTokens, responseTokens } = metered(stream);
  expect([events, promptTokens, responseTokens]).toEqual([3, -1, -1]);
});

test("of a stream that tells its usage with every event the last one counts", () => {
  const reported = [1, 2, 3].map(
    (n) => `data: {"usage":{"prompt_tokens":5,"completion_tokens":${n}}}\n\n`,
  );
  const meter = metered(reported.join(""), [40, 41, 90]);
  expect([meter.promptTokens, meter.responseTokens]).toEqual([5, 3]);
});

test("responses and messages call their tokens by other names", () => {
  const meter = metered('{"usage":{"input_tokens":12,"output_tokens":34}}');
  expect([meter.promptTokens, meter.responseTokens]).toEqual([12, 34]);
});

test.each(["", "{}"])(
  "a meter that is used again counts nothing of the response before: %j",
  (text) => {
    const usage = '{"usage":{"prompt_tokens":7,"completion_tokens":9,"cached_tokens":3}}';
    const meter = new ResponseMeter();
    // The whole buffer has it, also where it is not looked for.
    for (let i = 0; i < 60; i += 1) meter.add(Buffer.from(usage), 0, usage.length);
    expect(meter.responseTokens).toBe(9);
    meter.reset();
    meter.add(Buffer.from(text), 0, text.length);
    const { hasUsage, promptTokens, responseTokens, cachedTokens } = meter;
    expect({ hasUsage, promptTokens, responseTokens, cachedTokens }).toEqual({
      hasUsage: false,
      promptTokens: -1,
      responseTokens: -1,
      cachedTokens: -1,
    });
  },
);
