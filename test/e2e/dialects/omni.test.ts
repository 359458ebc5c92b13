/** omni with real processes. */
import { testFleet } from "../../support/dialect-suite.ts";

testFleet({
  name: "omni",
  dialect: "omni",
  killed: "retried",
  // A KV transfer may name an engine that was killed since: then decode computes the prompt. And a decode engine that was
  // killed may have fetched the KV cache before it responded: what is to free the cache then finds none.
  recomputedAfterKills: ["fetch_failed", "unknown"],
});
