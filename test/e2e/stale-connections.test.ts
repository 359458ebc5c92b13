/** Engines close idle connections in the very moment in which the proxy uses them: no client notices. */
import { Agent } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { post } from "../support/http-client.ts";
import { bunAndOneNode } from "../support/runtimes.ts";
import { type Engine, instant, type ServingProxy, Stack, totals } from "../support/stack.ts";

const path = "/v1/completions";
const keepAliveMs = 15;

describe.each(bunAndOneNode("stale-connections"))("on %s", (runtime) => {
  const stack = new Stack(runtime);
  let engines: Engine[];
  let proxy: ServingProxy;

  beforeAll(async () => {
    const hasty = [...instant, "--keep-alive-ms", `${keepAliveMs}`];
    const prefills = await stack.startEngines("prefill", 1, hasty, runtime);
    const decodes = await stack.startEngines("decode", 1, hasty, runtime);
    engines = [...prefills, ...decodes];
    proxy = await stack.startByFlags(prefills, decodes);
  });
  afterAll(() => stack.end());

  test("one request after the other, spaced as the engines' patience", async () => {
    const agent = new Agent({ keepAlive: true });
    const client = async (number: number) => {
      for (let count = 0; count < 40; count += 1) {
        const body = { prompt: "Hello", max_tokens: 3, stream: count % 2 === 0 };
        const response = await post(proxy.url + path, body, { agent });
        expect(response).toMatchObject({ status: 200, end: "whole" });
        // Some come before the connection closes, some after it, and some right when it does.
        const pauseMs = keepAliveMs - 3 + ((count + number) % 6);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    };
    await Promise.all([0, 1, 2, 3, 4, 5].map(client));
    agent.destroy();
    const states = await stack.settled(engines);
    expect(totals(states)).toMatchObject({ recomputed: 0, violations: 0, expired: 0 });
    // It was not only ever one connection per request, nor the same ones all the time.
    for (const { connectionsAccepted } of states) {
      expect(connectionsAccepted).toBeGreaterThan(6);
    }
  });
});
