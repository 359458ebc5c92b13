/** shared-storage with real processes. */
import { testFleet } from "../../support/dialect-suite.ts";

testFleet({
  name: "shared-storage",
  dialect: "shared-storage",
  // In the folder of the test, from which engines are started.
  engineDialect: "shared-storage:path=kv",
  // The store outlives its engines, so nothing is lost and nothing computed twice.
  killed: "retried",
});
