/** Collects what is wrong with a configuration, and what in it is without effect, while it is read. */
import type { ConfigProblem } from "../../problems/problem.ts";
import type { Position } from "./lexer.ts";

/** Thrown where a directive is read: the rest of it cannot be. The walk goes on behind it, to find more. */
export class Refusal extends Error {
  readonly position: Position | undefined;
  readonly hint: string | undefined;
  /** @param position where, when it is not the directive's name */
  constructor(message: string, position?: Position, hint?: string) {
    super(message);
    this.name = "Refusal";
    this.position = position;
    this.hint = hint;
  }
}

export class Report {
  readonly errors: ConfigProblem[] = [];
  readonly notices: ConfigProblem[] = [];
  readonly #noticed = new Set<string>();
  readonly #reported = new Set<string>();

  emerg(position: Position, message: string, hint?: string): void {
    this.#addOnce(this.errors, problem("emerg", position, message, hint));
  }

  warn(position: Position, message: string, hint?: string): void {
    this.#addOnce(this.notices, problem("warn", position, message, hint));
  }

  /** What a block inherits is wrong in each block that inherits it, but told once. */
  #addOnce(problems: ConfigProblem[], one: ConfigProblem): void {
    const key = JSON.stringify(one);
    if (!this.#reported.has(key)) problems.push(one);
    this.#reported.add(key);
  }

  /** Told once for each subject, at its first place. */
  notice(subject: string, position: Position, message: string, hint?: string): void {
    if (this.#noticed.has(subject)) return;
    this.#noticed.add(subject);
    this.notices.push(problem("notice", position, message, hint));
  }
}

/** By line and column within each file; files stay in the order in which they were first named. */
export function inFileOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const files = [...new Set(problems.map(({ file }) => file))];
  return problems.toSorted(
    (a, b) =>
      files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line || a.column - b.column,
  );
}

export function problem(
  level: ConfigProblem["level"],
  { file, line, column }: Position,
  message: string,
  hint?: string,
): ConfigProblem {
  return { file, line, column, level, message, ...(hint === undefined ? {} : { hint }) };
}
