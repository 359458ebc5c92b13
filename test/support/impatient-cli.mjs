/** The compiled command line, with less patience with workers that hang. */
import { run } from "../../dist/cli/run.js";

const code = await run(process.argv.slice(2), {
  workerHangMs: Number(process.env.GP_TEST_HANG_MS),
});
if (code !== undefined) process.exit(code);
