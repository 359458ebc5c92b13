/** omni with real processes. */
import { testFleet } from "../../support/dialect-suite.ts";

testFleet({
  name: "omni",
  dialect: "omni",
  killed: "retried",
  // A KV transfer may name an engine that was killed since: then decode computes the prompt.
  recomputedAfterKills: ["fetch_failed"],
});
