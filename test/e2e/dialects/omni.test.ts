/** omni with real processes. */
import { testFleet } from "../../support/dialect-suite.ts";

testFleet({
  name: "omni",
  dialect: "omni",
  killed: "retried",
  // A hand-over names an engine that was killed since: its decode computes the prompt.
  recomputedAfterKills: ["fetch_failed"],
});
