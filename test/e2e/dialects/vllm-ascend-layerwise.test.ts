/**
 * vllm-ascend-layerwise with real processes: decode that calls back once, and decode that repeats its calls and gives
 * requests up.
 */
import { testFleet, usualRequests } from "../../support/dialect-suite.ts";
import type { Fleet } from "../../support/fleet.ts";

const prompts = ["One of %n, ".repeat(20), "two of %n, ".repeat(30), "three of %n."];

const fleet: Fleet = {
  name: "vllm-ascend-layerwise",
  dialect: "vllm-ascend-layerwise",
  engineDialect: "vllm-ascend-layerwise",
  requests: [
    ...usualRequests,
    { path: "/v1/completions", body: { prompt: prompts, max_tokens: 20, stream: true } },
  ],
  killed: "retried",
};

testFleet(fleet);

testFleet({
  ...fleet,
  name: "vllm-ascend-layerwise, each call twice, decode gives each request up after 9 tokens",
  engineDialect: "vllm-ascend-layerwise:calls=2,recomputeAfter=9",
  requests: usualRequests,
  handsOver: 2,
  killed: "error",
});
