/** Limits that the proxy rejects and an engine would have taken, or in words that are not the engine's. */
import { afterAll, expect, test } from "vitest";
import { generatingAt } from "../../../src/dialects/endpoints/find-endpoint.ts";
import { tokenLimits } from "../../../src/dialects/shared/token-limits.ts";
import { rejectedByVllm } from "../../../src/dialects/vllm/limits.ts";
import { instantTiming } from "../../../src/simulated-engine/options.ts";
import { startEngine } from "../../../src/simulated-engine/server.ts";
import { post } from "../../simulated-engine/http.ts";
import { requestOf } from "../legs.ts";

const contextTokens = 40;
const engine = await startEngine({ role: "mixed", maxModelLen: contextTokens, ...instantTiming });
afterAll(() => engine.close());

const caps = [undefined, null, -3, 0, 1, 4, 39, 40, 41, 1e15];
const leasts = [undefined, null, 0, 1, 4, 5, 41];
const messages = [{ role: "user", content: "x" }];

const bodies = caps.flatMap((max_tokens) =>
  leasts.flatMap((min_tokens): (readonly [string, object])[] => [
    ["/v1/completions", { prompt: "x", max_tokens, min_tokens }],
    ["/v1/completions", { prompt: [70_001, 70_002, 70_003], max_tokens, min_tokens }],
    ["/v1/chat/completions", { messages, max_completion_tokens: max_tokens, min_tokens }],
    ["/v1/chat/completions", { messages, max_tokens, min_tokens }],
    ["/v1/chat/completions", { messages, max_tokens, max_completion_tokens: null, min_tokens }],
  ]),
);

test("what an engine rejects by its limits alone is rejected before a prefill, and nothing else, in its words", async () => {
  let rejections = 0;
  for (const [path, body] of bodies) {
    const text = JSON.stringify(body);
    const limits = tokenLimits(requestOf(text, path).members, generatingAt(path));
    const ours = limits && rejectedByVllm(limits, contextTokens);
    const response = await post(engine.url, path, body);
    const { error } = (await response.json()) as { error?: Record<string, string> };
    // Without a cap, or together with the prompt, only an engine can tell.
    const isOurs = limits !== undefined && (limits.leastCap < 1 || limits.leastCap > contextTokens);
    if (isOurs) expect(ours, text).toBeDefined();
    if (ours === undefined) continue;
    rejections += 1;
    const { type, param } = ours;
    expect({ status: response.status, ...error }, text).toMatchObject({ status: 400, type, param });
    // The engine has cut the cap to what the prompt leaves.
    const uncut = error?.["message"]?.replace(
      /max_tokens=3[0-9],/,
      `max_tokens=${limits!.mostCap},`,
    );
    expect(uncut).toBe(ours.message);
  }
  expect(rejections).toBeGreaterThan(100);
});
