/**
 * vllm-mooncake with real processes, in both generations. Nothing but its bootstrap port is said of an engine: its id
 * is asked for.
 */
import { testFleet } from "../../support/dialect-suite.ts";
import type { Fleet } from "../../support/fleet.ts";

const fleet: Fleet = {
  name: "vllm-mooncake",
  dialect: "vllm-mooncake",
  attributes: ({ role, sidePort }): Record<string, string> =>
    role === "prefill" ? { bootstrap_port: `${sidePort}` } : {},
  // A decode whose prefill engine has died says so itself (`kv_load_failure_policy`), a stream after its status.
  route: ", retry: { on: [error, timeout, http_500] }",
  killed: "error",
};

testFleet(fleet);

testFleet({
  ...fleet,
  name: "vllm-mooncake-v0",
  dialect: "vllm-mooncake-v0",
  engineDialect: "vllm-mooncake:generation=older",
});
