/** The pid file of this instance, which a reload may move, and which an upgrade puts aside as nginx does. */
import { renameSync } from "node:fs";
import { describeSystemError } from "../../config/problems/system-error.ts";
import { type PidFileProblem, removePidFile, runningInstance, writePidFile } from "./pid-file.ts";

/** Appended to the name of the pid file by a process from which another one takes over. */
export const oldSuffix = ".oldbin";

export class OwnedPidFile {
  #path: string | undefined;
  /** The name without the suffix, while the file is put aside. */
  #aside: string | undefined;

  /**
   * Writes the file, and removes the one written before.
   * @returns why the file could not be written; the old one is gone then, too
   */
  moveTo(path: string | undefined): PidFileProblem | undefined {
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

  /** The process from which this one took over, if it still runs. */
  predecessor(): number | undefined {
    return this.#path === undefined ? undefined : runningInstance(this.#path + oldSuffix);
  }

  /** Makes room for the file of the next process. @returns why that fails */
  moveAside(): string | undefined {
    const path = this.#path;
    const problem = path === undefined ? undefined : rename(path, path + oldSuffix);
    if (path === undefined || problem !== undefined) return problem;
    this.#aside = path;
    this.#path = path + oldSuffix;
    return undefined;
  }

  /** The next process has ended. @returns why that fails */
  moveBack(): string | undefined {
    const path = this.#aside;
    this.#aside = undefined;
    if (path === undefined || this.#path === undefined) return undefined;
    const problem = rename(this.#path, path);
    this.#path = path;
    return problem;
  }
}

function rename(from: string, to: string): string | undefined {
  try {
    renameSync(from, to);
    return undefined;
  } catch (error) {
    const reason = describeSystemError(error as NodeJS.ErrnoException);
    return `rename() ${from} to ${to} failed (${reason})`;
  }
}
