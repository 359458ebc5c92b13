/** vllm-nixl with real processes, in both generations. */
import { testFleet } from "../../support/dialect-suite.ts";
import type { Fleet } from "../../support/fleet.ts";

const fleet: Fleet = {
  name: "vllm-nixl",
  dialect: "vllm-nixl",
  route: ", retry: { on: [error, timeout, http_500] }",
  // vLLM fails a request whose KV is gone with its engine (`kv_load_failure_policy`), a stream after its status.
  killed: "error",
};

testFleet(fleet);

testFleet({
  ...fleet,
  name: "vllm-nixl, older engines that name themselves by a host of no use",
  engineDialect: "vllm-nixl:generation=older",
  attributes: () => ({ remote_host: "address" }),
});
