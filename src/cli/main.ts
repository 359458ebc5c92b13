/** The program's entry: runs the command line and ends with its exit code. */
import { printMessage } from "./print.ts";
import { run } from "./run.ts";

try {
  const code = await run(process.argv.slice(2));
  if (code !== undefined) process.exit(code);
} catch (error) {
  // Only a defect of this program gets here.
  printMessage("emerg", error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exit(1);
}
