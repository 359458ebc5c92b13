/** Reads the files that list engines. */
import { readFileSync } from "node:fs";
import { type ConfigProblem, problemAt, wholeFile } from "../problems/problem.ts";
import { describeOpenError } from "../problems/system-error.ts";
import type { Config } from "../schema/schema.ts";
import { readEngineList } from "../yaml/engine-list.ts";

export function sourceFilesOf({ pools }: Pick<Config, "pools">): string[] {
  const sources = Object.values(pools).flatMap((pool) => pool.sources);
  return [...new Set(sources.flatMap((source) => ("file" in source ? [source.file] : [])))];
}

/** @param isKept it does not matter what is in this one */
export function sourceFileProblems(
  { pools }: Config,
  isKept: (file: string) => boolean,
): ConfigProblem[] {
  return sourceFilesOf({ pools })
    .filter((file) => !isKept(file))
    .flatMap((file) => {
      try {
        const list = readEngineList(readFileSync(file, "utf8"), file);
        return "errors" in list ? list.errors : [];
      } catch (error) {
        const message = describeOpenError(file, error as NodeJS.ErrnoException);
        return [problemAt(wholeFile(file), { level: "emerg", message })];
      }
    });
}
