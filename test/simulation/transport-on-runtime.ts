/** Runs the checks of transports on the real sockets of the runtime that runs this file. */
import { bun } from "../../src/transport/bun.ts";
import { tcp } from "../../src/transport/tcp.ts";
import { checks, realGround, runCheck } from "./transport-checks.ts";

const transport = process.versions["bun"] === undefined ? tcp : bun;
const failures: string[] = [];
for (const [name, check] of Object.entries(checks)) {
  await runCheck(check, realGround(transport)).catch((error: Error) => {
    failures.push(`${name}: ${error.message} ${error.stack}`);
  });
}
process.stdout.write(failures.join("\n"));
process.exit(failures.length === 0 ? 0 : 1);
