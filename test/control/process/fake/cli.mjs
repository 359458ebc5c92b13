/** The compiled command line, with the fake worker in place of the real one. */
import { run } from "../../../../dist/cli/run.js";

const workerEntry = new URL("./worker.mjs", import.meta.url);
const code = await run(process.argv.slice(2), { workerEntry });
if (code !== undefined) process.exit(code);
