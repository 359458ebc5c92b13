/** vllm-p2p-nccl with real processes, whose addresses stand in the configuration. */
import { testFleet } from "../../support/dialect-suite.ts";

testFleet({
  name: "vllm-p2p-nccl",
  dialect: "vllm-p2p-nccl",
  attributes: ({ sidePort }) => ({ kv_port: `${sidePort}` }),
  route: ", retry: { on: [error, timeout, http_500] }",
  // A prefill that cannot push says so itself, and what was pushed into a decode engine dies with it.
  killed: "error",
});
