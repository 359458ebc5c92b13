/** Reads the files that list engines, for `-t`: a start would fail for the same reasons. */
import { readFileSync } from "node:fs";
import { type ConfigProblem, problemAt, wholeFile } from "../problems/problem.ts";
import { describeOpenError } from "../problems/system-error.ts";
import type { Config } from "../schema/schema.ts";
import { readEngineList } from "../yaml/engine-list.ts";

export function sourceFileProblems({ pools }: Config): ConfigProblem[] {
  const sources = Object.values(pools).flatMap((pool) => pool.sources);
  const files = new Set(sources.flatMap((source) => ("file" in source ? [source.file] : [])));
  return [...files].flatMap((file) => {
    try {
      const list = readEngineList(readFileSync(file, "utf8"), file);
      return "errors" in list ? list.errors : [];
    } catch (error) {
      const message = describeOpenError(file, error as NodeJS.ErrnoException);
      return [problemAt(wholeFile(file), { level: "emerg", message })];
    }
  });
}
