/** Why a configuration cannot be served: thrown at start-up and by a reload. */
import type { ConfigProblem } from "../config/problems/problem.ts";

export class ServeError extends Error {
  /** The system's code, such as `EADDRINUSE`, or the proxy's own (`GP_…`). */
  readonly code: string;
  /** The same with its places, where it is a file that has errors. */
  readonly problems: readonly ConfigProblem[];

  /** @param message as nginx words it, where nginx has such an error */
  constructor(message: string, code: string, problems: readonly ConfigProblem[] = []) {
    super(message);
    this.name = "ServeError";
    this.code = code;
    this.problems = problems;
  }
}
