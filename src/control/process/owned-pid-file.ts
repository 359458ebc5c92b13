/** The pid file of this instance, which a reload may move. */
import { removePidFile, writePidFile } from "./pid-file.ts";

export class OwnedPidFile {
  #path: string | undefined;

  /**
   * Writes the file, and removes the one written before.
   * @returns why the file could not be written; the old one is gone then, too
   */
  moveTo(path: string | undefined): string | undefined {
    if (path === this.#path) return undefined;
    this.remove();
    const problem = path === undefined ? undefined : writePidFile(path);
    if (problem === undefined) this.#path = path;
    return problem;
  }

  remove(): void {
    if (this.#path !== undefined) removePidFile(this.#path);
    this.#path = undefined;
  }
}
