/** The program's entry. */
import { runProgram } from "./run.ts";

await runProgram();
