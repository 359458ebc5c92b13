/** A file that lists engines. It is read again when it has changed. */
import { readFileSync, statSync } from "node:fs";
import { problemText } from "../../../config/problems/problem.ts";
import { describeOpenError } from "../../../config/problems/system-error.ts";
import type { FileSourceConfig } from "../../../config/schema/pool/sources.ts";
import type { EngineConfig } from "../../../config/schema/schema.ts";
import { readEngineList } from "../../../config/yaml/engine-list.ts";
import { engineFileBytesMax } from "../../limits.ts";
import { ServeError } from "../../serve-error.ts";
import { WatchedFile } from "../../watched-file.ts";
import { Complaints } from "./complaints.ts";
import { changeInWords } from "./merge.ts";
import type { EngineSource, SourceDeps, SourceState } from "./source.ts";

/** What was read, or why it could not be. */
type Read = { readonly engines: readonly EngineConfig[] } | { readonly problem: string };

export class FileSource implements EngineSource {
  readonly name: string;
  readonly #pool: string;
  readonly #config: FileSourceConfig;
  readonly #deps: SourceDeps;
  readonly #complaints: Complaints;
  #engines: readonly EngineConfig[] = [];
  #watched: WatchedFile | undefined;

  constructor(pool: string, config: FileSourceConfig, deps: SourceDeps) {
    this.name = `file ${config.file}`;
    this.#pool = pool;
    this.#config = config;
    this.#deps = deps;
    this.#complaints = new Complaints(deps);
  }

  enginesOf(pool: string): readonly EngineConfig[] {
    return pool === this.#pool ? this.#engines : [];
  }

  async open(before?: SourceState): Promise<void> {
    if (before !== undefined) this.#engines = before.said as readonly EngineConfig[];
    const { file, pollMs } = this.#config;
    const { nowMs } = this.#deps;
    this.#watched = new WatchedFile({ file, pollMs, nowMs, changed: () => this.#readAgain() });
    const read = this.#read();
    if ("engines" in read) this.#engines = read.engines;
    else if (before !== undefined) this.#complain(read.problem);
    else {
      this.close();
      throw new ServeError(read.problem, "GP_SOURCE");
    }
  }

  get state() {
    return { said: this.#engines };
  }

  close(): void {
    this.#watched?.close();
  }

  #readAgain(): void {
    const read = this.#read();
    if ("problem" in read) {
      this.#complain(read.problem);
      return;
    }
    this.#complaints.recovered(`${this.name} is read again, for pool "${this.#pool}"`);
    if (JSON.stringify(read.engines) === JSON.stringify(this.#engines)) return;
    const change = changeInWords(this.#engines, read.engines);
    const level = read.engines.length === 0 ? "warn" : "notice";
    this.#deps.log(level, `${this.name} of pool "${this.#pool}" has ${change}`);
    this.#engines = read.engines;
    this.#deps.changed();
  }

  #complain(problem: string): void {
    const count = this.#engines.length;
    this.#complaints.say("error", `${problem}; pool "${this.#pool}" keeps its ${count} engines`);
  }

  #read(): Read {
    const { file, labels } = this.#config;
    try {
      const { size } = statSync(file);
      if (size > engineFileBytesMax) {
        return { problem: `${file} has ${size} bytes, more than ${engineFileBytesMax}` };
      }
      const list = readEngineList(readFileSync(file, "utf8"), file, labels);
      if ("engines" in list) return list;
      // One is enough: the others often follow from it.
      return { problem: problemText(list.errors[0]!) };
    } catch (error) {
      return { problem: describeOpenError(file, error as NodeJS.ErrnoException) };
    }
  }
}
