/** Engines of which the configuration says nothing: they register, are killed, are forgotten, and come back. */
import { testFleet } from "../../support/dialect-suite.ts";
import { scaled } from "../../support/times.ts";

/** An engine is forgotten after so long without a ping: long enough for pings that a busy machine delays. */
const timeoutMs = scaled(5_000);

for (const dialect of ["vllm-p2p-nccl", "moriio-read"]) {
  testFleet({
    name: `${dialect}, registered`,
    dialect,
    switches: ({ registrationPort }) => [
      "--dialect",
      `${dialect}:proxy=127.0.0.1:${registrationPort},pingMs=200`,
    ],
    yaml: ({ port, registrationPort }) => `
pools:
  prefill: { policy: { name: length_balance }, engines: [] }
  decode: { policy: { name: least_conn }, engines: [] }
registrations:
  - { zmq: "tcp://127.0.0.1:${registrationPort}", prefill: prefill, decode: decode, timeoutMs: ${timeoutMs} }
servers:
  - listen: [{ host: 127.0.0.1, port: ${port} }]
    routes:
      - match: { path: / }
        prefill: { pool: prefill }
        target: { pool: decode }
        dialect: ${dialect}
        retry: { on: [error, timeout, http_500] }
`,
    killed: "error",
  });
}
