/** trtllm with real processes: in both orders, with engines of before, and with answers that need no generation. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testFleet } from "../../support/dialect-suite.ts";
import { type Fleet, type RunningFleet, startFleet } from "../../support/fleet.ts";
import { post } from "../../support/http-client.ts";
import { freePorts } from "../../support/ports.ts";
import { bunAndOneNode } from "../../support/runtimes.ts";
import { type Engine, Stack } from "../../support/stack.ts";

const fleet: Fleet = {
  name: "trtllm",
  dialect: "trtllm",
  route: ", retry: { on: [error, timeout, http_500] }",
  // A generation server fails a request whose context is gone, a stream after its status.
  killed: "error",
};

testFleet(fleet);

testFleet({
  ...fleet,
  name: "trtllm, older engines that refuse the newer fields",
  engineDialect: "trtllm:generation=older",
});

testFleet({
  ...fleet,
  name: "trtllm-gen-first",
  dialect: "trtllm-gen-first",
  engineDialect: "trtllm:authKey=a-shared-secret",
  attributes: ({ role, sidePort }): Record<string, string> =>
    role === "prefill"
      ? { ctx_info_endpoint: `tcp://127.0.0.1:${sidePort}` }
      : { internal_request_auth_key: "a-shared-secret" },
});

testFleet({
  ...fleet,
  name: "trtllm, generation servers with a key",
  engineDialect: "trtllm:authKey=a-shared-secret",
  attributes: () => ({ internal_request_auth_key: "a-shared-secret" }),
});

describe.each(bunAndOneNode("trtllm"))("a first token that is the last, on %s", (runtime) => {
  let stack: Stack;
  let running: RunningFleet;
  let alone: Engine;

  beforeAll(async () => {
    stack = new Stack(runtime);
    const switches = ["--eos-after-tokens", "1"];
    running = await startFleet(stack, { ...fleet, switches: () => switches });
    const [port] = await freePorts(1);
    alone = await stack.startEngine("mixed", port!, switches);
  });
  afterAll(() => stack?.end());

  test.each([
    ["/v1/completions", { prompt: "x" }],
    ["/v1/chat/completions", { messages: [{ role: "user", content: "x" }] }],
  ])(
    "is a response on %s as one server gives it, and no generation is asked",
    async (path, body) => {
      const wishes = [
        {},
        { stream: true },
        { stream: true, stream_options: { include_usage: true } },
      ];
      for (const queueRequest of wishes) {
        const request = JSON.stringify({ ...body, ...queueRequest });
        const [response, expected] = await Promise.all([
          post(running.url + path, request),
          post(alone.url + path, request),
        ]);
        expect(response.status).toBe(200);
        expect(essenceOf(response.body)).toEqual(essenceOf(expected.body));
      }
      for (const engine of running.byRole.get("decode")!) {
        expect((await engine.state()).requestsSeen).toBe(0);
      }
      const states = await Promise.all(running.engines.map((engine) => engine.state()));
      expect(states.map(({ held, violations }) => ({ held, violations }))).toEqual(
        states.map(() => ({ held: 0, violations: [] })),
      );
    },
  );
});

/** What clients read of a response: the texts, why it ends, the usage, and whether it says that it is complete. */
function essenceOf(body: string) {
  const isStream = body.startsWith("data: ");
  const texts = isStream
    ? body.split("\n\n").flatMap((event) => /^data: (\{.*)/s.exec(event)?.[1] ?? [])
    : [body];
  const parts = texts.map((text) => JSON.parse(text));
  const choices = parts.flatMap((part) => part.choices);
  return {
    objects: [...new Set(parts.map(({ object }) => object))],
    roles: choices.map(({ delta }) => delta?.role),
    text: choices.map(({ text, delta, message }) => text ?? (delta ?? message).content).join(""),
    reasons: choices.map(({ finish_reason }) => finish_reason),
    usages: parts.map(({ usage }) => usage ?? null),
    transfers: choices.map(({ disaggregated_params }) => disaggregated_params ?? null),
    isDone: isStream && body.endsWith("data: [DONE]\n\n"),
  };
}
