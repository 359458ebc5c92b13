/** Where in the files each part of the configuration came from, for faults that are found only in the whole. */

import type { ConfigFault } from "../../check/schema-faults.ts";
import type { ConfigProblem } from "../../problems/problem.ts";
import type { ConfigPath } from "../../schema/expected.ts";
import type { Position } from "./lexer.ts";
import { problem } from "./report.ts";

export class Places {
  readonly #positions = new Map<string, Position>();
  readonly #whole: Position;

  /** @param file where faults without a place are told */
  constructor(file: string) {
    this.#whole = { file, line: 0, column: 0 };
  }

  set(path: ConfigPath, position: Position): void {
    this.#positions.set(JSON.stringify(path), position);
  }

  /** The place of the path, or of the nearest part around it that has one. */
  of(path: ConfigPath): Position {
    for (let length = path.length; length > 0; length -= 1) {
      const position = this.#positions.get(JSON.stringify(path.slice(0, length)));
      if (position !== undefined) return position;
    }
    return this.#whole;
  }

  readonly locate = ({ path, level, message, hint }: ConfigFault): ConfigProblem =>
    problem(level, this.of(path), message, hint);
}
