/** Collects what is wrong with a configuration, and what in it is without effect, while it is read. */
import type { ConfigProblem } from "../problem.ts";
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

  emerg(position: Position, message: string, hint?: string): void {
    this.errors.push(problem("emerg", position, message, hint));
  }

  warn(position: Position, message: string, hint?: string): void {
    this.notices.push(problem("warn", position, message, hint));
  }

  /** Told once for each subject, at its first place. */
  notice(subject: string, position: Position, message: string, hint?: string): void {
    if (this.#noticed.has(subject)) return;
    this.#noticed.add(subject);
    this.notices.push(problem("notice", position, message, hint));
  }
}

export function problem(
  level: ConfigProblem["level"],
  { file, line, column }: Position,
  message: string,
  hint?: string,
): ConfigProblem {
  return { file, line, column, level, message, ...(hint === undefined ? {} : { hint }) };
}
