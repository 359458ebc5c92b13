/** The compiled command line, with the fake worker in place of the real one, and less patience with it where asked. */
import { run } from "../../../../dist/cli/run.js";

const workerEntry = new URL("./worker.mjs", import.meta.url);
const code = await run(process.argv.slice(2), {
  workerEntry,
  ...(process.env.GP_TEST_HANG_MS && { workerHangMs: Number(process.env.GP_TEST_HANG_MS) }),
});
if (code !== undefined) process.exit(code);
