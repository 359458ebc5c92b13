/** Runs the checks of transports on Bun's own sockets; Bun runs this file itself. */
import { bun } from "../../src/transport/bun.ts";
import { checks, realGround, runCheck } from "./transport-checks.ts";

const failures: string[] = [];
for (const [name, check] of Object.entries(checks)) {
  await runCheck(check, realGround(bun)).catch((error: Error) => {
    failures.push(`${name}: ${error.message} ${error.stack}`);
  });
}
process.stdout.write(failures.join("\n"));
process.exit(failures.length === 0 ? 0 : 1);
