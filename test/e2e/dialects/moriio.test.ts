/** moriio-read and moriio-write with real processes. */
import { testFleet } from "../../support/dialect-suite.ts";

for (const dialect of ["moriio-read", "moriio-write"]) {
  testFleet({
    name: dialect,
    dialect,
    attributes: ({ sidePort }) => ({ notify_port: `${sidePort}`, tp_size: "1", dp_size: "1" }),
    route: ", retry: { on: [error, timeout, http_500] }",
    // A transfer that fails is the end of its request, of a stream after its status.
    killed: "error",
  });
}
