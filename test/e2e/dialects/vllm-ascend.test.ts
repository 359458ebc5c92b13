/**
 * vllm-ascend with real processes: engines that serve to the end, and engines that give requests up in the middle of an
 * answer.
 */
import { testFleet } from "../../support/dialect-suite.ts";
import type { Fleet } from "../../support/fleet.ts";

const fleet: Fleet = {
  name: "vllm-ascend",
  dialect: "vllm-ascend",
  route: ", retry: { on: [error, timeout, http_500] }",
  // vLLM fails a request whose KV is gone with its engine (`kv_load_failure_policy`), a stream after its status.
  killed: "error",
};

testFleet(fleet);

testFleet({
  ...fleet,
  name: "vllm-ascend, decode gives each request up after 9 tokens",
  engineDialect: "vllm-ascend:recomputeAfter=9",
  // All responses are longer than that, and each part has a prefill of its own.
  handsOver: 2,
});
