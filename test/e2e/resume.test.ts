/**
 * Decode engines are killed under load, one after the other, and with `resume` no stream breaks: each is the one of an
 * engine that nothing happened to.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { instantTiming } from "../../src/simulated-engine/options.ts";
import { type RunningEngine, startEngine } from "../../src/simulated-engine/server.ts";
import { type Fleet, type RunningFleet, startFleet } from "../support/fleet.ts";
import { runWave, type WaveCase } from "../support/fleet-wave.ts";
import { post } from "../support/http-client.ts";
import { bunAndOneNode, oneRuntime } from "../support/runtimes.ts";
import { Stack } from "../support/stack.ts";

const more = ", resume: true, retry: { on: [error, timeout, http_500] }";
const attributes: Fleet["attributes"] = ({ role, sidePort }): Record<string, string> =>
  role === "prefill" ? { bootstrap_port: `${sidePort}` } : {};
const split = { engines: { prefill: 2, decode: 3 }, route: more, killed: "retried" } as const;
const fleets: readonly Fleet[] = [
  { ...split, name: "vllm-nixl", dialect: "vllm-nixl" },
  { ...split, name: "sglang", dialect: "sglang", attributes },
  { ...split, name: "plain", dialect: "plain", engineDialect: "omni", engines: { mixed: 3 } },
];

const usage = { stream: true, stream_options: { include_usage: true } };
const bodies = (number: number): readonly (readonly [path: string, body: object])[] => {
  const text = `request ${number} that goes on, `.repeat(8);
  const messages = [{ role: "user", content: text }];
  return [
    ["/v1/completions", { prompt: text, max_tokens: 60, ...usage }],
    ["/v1/chat/completions", { messages, max_tokens: 60, ...usage }],
    [
      "/v1/completions",
      { prompt: text, max_tokens: 50, min_tokens: 40, stream: true, logprobs: 1 },
    ],
    ["/v1/chat/completions", { messages, max_completion_tokens: 70, stream: true }],
  ];
};

describe.each(fleets)("$name", (fleet) => {
  const tested = fleet.dialect === "vllm-nixl" ? bunAndOneNode : oneRuntime;
  describe.each(tested(fleet.name))("on %s", (runtime) => {
    const stack = new Stack(runtime, { ownProcesses: true });
    let running: RunningFleet;
    let oracle: RunningEngine;
    let serial = 0;

    beforeAll(async () => {
      oracle = await startEngine({ role: "mixed", ...instantTiming });
      running = await startFleet(stack, fleet);
    });
    afterAll(async () => {
      await oracle?.close();
      await stack.end();
    });

    async function cases(count: number): Promise<WaveCase[]> {
      const made: WaveCase[] = [];
      while (made.length < count) {
        for (const [path, json] of bodies(serial++)) {
          const body = JSON.stringify(json);
          made.push({ path, body, expected: (await post(oracle.url + path, body)).body });
        }
      }
      return made;
    }

    test("decode engines die one after the other: no stream is broken", async () => {
      const victims = running.byRole.get("decode") ?? running.byRole.get("mixed")!;
      for (const victim of victims.slice(0, 2)) {
        let kill: Promise<unknown> | undefined;
        const tally = await runWave({
          url: running.url,
          fleet,
          cases: await cases(40),
          onEnd: (ended) => {
            if (ended >= 4) kill ??= victim.kill();
          },
        });
        await kill;
        expect(tally).toEqual({ right: 40, wrong: [], cut: 0, refused: 0, aborted: 0, hung: 0 });
        await victim.startAgain();
      }
    });
  });
});
