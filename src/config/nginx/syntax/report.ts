/** Collects, while a configuration is read, what is wrong with it and what in it has no effect. */
import { type ConfigProblem, type Position, problemAt } from "../../problems/problem.ts";

/** Thrown where one directive cannot be read. Reading goes on behind that directive, to find more errors. */
export class DirectiveError extends Error {
  readonly position: Position | undefined;
  readonly hint: string | undefined;
  /** @param position if the error is not at the directive's name */
  constructor(message: string, position?: Position, hint?: string) {
    super(message);
    this.name = "DirectiveError";
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
    this.#addOnce(this.errors, problemAt(position, { level: "emerg", message, hint }));
  }

  warn(position: Position, message: string, hint?: string): void {
    this.#addOnce(this.notices, problemAt(position, { level: "warn", message, hint }));
  }

  /** Several blocks may inherit one error; it is reported once. */
  #addOnce(problems: ConfigProblem[], one: ConfigProblem): void {
    const key = JSON.stringify(one);
    if (!this.#reported.has(key)) problems.push(one);
    this.#reported.add(key);
  }

  /** Reported once per subject, at its first place. */
  notice(subject: string, position: Position, message: string, hint?: string): void {
    if (this.#noticed.has(subject)) return;
    this.#noticed.add(subject);
    this.notices.push(problemAt(position, { level: "notice", message, hint }));
  }
}
