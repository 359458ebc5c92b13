/** What is wrong with a configuration, and where: the same shape for nginx.conf, YAML and flags. */

/** A place in a file. */
export interface Position {
  /** As the operator named it, or `commandLine`. */
  readonly file: string;
  /** Counted from 1. 0 = the problem concerns the whole file. */
  readonly line: number;
  /** Counted from 1, in characters. 0 = the whole line. */
  readonly column: number;
}

/** The file of problems in flags and `-g`. */
export const commandLine = "command line";

/** A problem before its place is known. */
export interface Finding {
  /** `emerg` rejects the configuration; the others are reported, and the configuration is used. */
  readonly level: "emerg" | "warn" | "notice";
  readonly message: string;
  /** What to write instead, as a sentence without a full stop. */
  readonly hint?: string | undefined;
}

export interface ConfigProblem extends Position, Finding {}

export function problemAt(
  { file, line, column }: Position,
  { level, message, hint }: Finding,
): ConfigProblem {
  return { file, line, column, level, message, ...(hint === undefined ? {} : { hint }) };
}

/** The place of problems that concern a whole file. */
export function wholeFile(file: string): Position {
  return { file, line: 0, column: 0 };
}

/** The place of what is wrong with flags. */
export function inCommandLine(finding: Finding): ConfigProblem {
  return problemAt(wholeFile(commandLine), finding);
}

/** By line and column within each file; files stay in the order in which they were first named. */
export function inFileOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const files = [...new Set(problems.map(({ file }) => file))];
  return problems.toSorted(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
}

/** One line, in nginx's words, with the column and the hint added: `[emerg] message in FILE:LINE:COLUMN (hint)`. */
export function formatProblem(problem: ConfigProblem): string {
  return `[${problem.level}] ${problemText(problem)}`;
}

/** The same without its level, for what says that by itself. */
export function problemText(problem: ConfigProblem): string {
  const hint = problem.hint === undefined ? "" : ` (${problem.hint})`;
  return `${problem.message} in ${formatPlace(problem)}${hint}`;
}

function formatPlace({ file, line, column }: Position): string {
  if (line === 0) return file;
  return column === 0 ? `${file}:${line}` : `${file}:${line}:${column}`;
}
