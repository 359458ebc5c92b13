/** Where in the files each part of the configuration came from, for faults that only the checks of the whole find. */
import type { ConfigFault, ConfigPath } from "../../problems/fault.ts";
import { type ConfigProblem, type Position, problemAt, wholeFile } from "../../problems/problem.ts";

export class Places {
  readonly #positions = new Map<string, Position>();
  readonly #whole: Position;

  /** @param file the place of faults that have no better one */
  constructor(file: string) {
    this.#whole = wholeFile(file);
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

  readonly locate = (fault: ConfigFault): ConfigProblem => problemAt(this.of(fault.path), fault);
}
