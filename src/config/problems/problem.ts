/** What is wrong with a configuration, and where: the same shape for nginx.conf, YAML and switches. */

export interface ConfigProblem {
  /** The file as the operator named it; `command line` for switches and `-g`. */
  readonly file: string;
  /** Counted from 1. 0 = the problem has no place in the file. */
  readonly line: number;
  /** Counted from 1, in characters. 0 = the whole line. */
  readonly column: number;
  /** `emerg` refuses the configuration; the others are told and the configuration is used. */
  readonly level: "emerg" | "warn" | "notice";
  readonly message: string;
  /** What to write instead, as a sentence without a full stop. */
  readonly hint?: string;
}

/** One line, as nginx words it, with the column and the hint added: `[emerg] message in FILE:LINE:COLUMN (hint)`. */
export function formatProblem(problem: ConfigProblem): string {
  const hint = problem.hint === undefined ? "" : ` (${problem.hint})`;
  return `[${problem.level}] ${problem.message} in ${formatPlace(problem)}${hint}`;
}

function formatPlace({ file, line, column }: ConfigProblem): string {
  if (line === 0) return file;
  return column === 0 ? `${file}:${line}` : `${file}:${line}:${column}`;
}
