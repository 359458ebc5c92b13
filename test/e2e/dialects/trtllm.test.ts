/** trtllm with real processes: context first. */
import { testFleet } from "../../support/dialect-suite.ts";

testFleet({
  name: "trtllm",
  dialect: "trtllm",
  route: ", retry: { on: [error, timeout, http_500] }",
  // A generation server fails a request whose context is gone, a stream after its status.
  killed: "error",
});
