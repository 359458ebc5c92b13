/**
 * A file that lists engines. It is read again when it has changed and then been quiet for a moment, so that one that is
 * being written is not taken for a shorter one. Changes are noticed by `fs.watch` on its folder, and by looking at it
 * from time to time: what a symbolic link leads to, and network file systems, are not watched.
 */
import { type FSWatcher, readFileSync, type Stats, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import { formatProblem } from "../../../config/problems/problem.ts";
import { describeOpenError } from "../../../config/problems/system-error.ts";
import type { FileSourceConfig } from "../../../config/schema/pool/sources.ts";
import type { EngineConfig } from "../../../config/schema/schema.ts";
import { readEngineList } from "../../../config/yaml/engine-list.ts";
import { engineFileBytesMax, engineFileQuietMs, engineFileUnquietMsMax } from "../../limits.ts";
import { ServeError } from "../../serve-error.ts";
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
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #quiet: NodeJS.Timeout | undefined;
  /** Of the file as it was read last. */
  #seen = "";
  #closed = false;

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
    this.#seen = this.#stamp();
    const read = this.#read();
    if ("engines" in read) this.#engines = read.engines;
    else if (before === undefined) throw new ServeError(read.problem, "GP_SOURCE");
    else this.#complain(read.problem);
    this.#watch();
    this.#poll = setInterval(() => this.#look(), this.#config.pollMs);
  }

  get state() {
    return { said: this.#engines };
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    clearInterval(this.#poll);
    clearTimeout(this.#quiet);
  }

  /** The folder, since a file that is replaced is another file, and may be missing in between. */
  #watch(): void {
    try {
      this.#watcher = watch(dirname(this.#config.file), { persistent: false }, () => this.#look());
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // There are no more watches, or the folder is gone: it is looked at from time to time.
    }
  }

  /** Reads the file if it has changed, as soon as it is quiet. */
  #look(sinceMs = this.#deps.nowMs()): void {
    if (this.#closed || this.#quiet !== undefined) return;
    const stamp = this.#stamp();
    if (stamp === this.#seen) return;
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined;
      const isQuiet = this.#stamp() === stamp;
      if (isQuiet || this.#deps.nowMs() - sinceMs > engineFileUnquietMsMax) this.#readAgain(stamp);
      else this.#look(sinceMs);
    }, engineFileQuietMs);
  }

  #readAgain(stamp: string): void {
    if (this.#closed) return;
    this.#seen = stamp;
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

  /** Of what a link leads to. Differs whenever the content may. */
  #stamp(): string {
    try {
      const { dev, ino, size, mtimeMs, ctimeMs }: Stats = statSync(this.#config.file);
      return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
    } catch (error) {
      return `${(error as NodeJS.ErrnoException).code}`;
    }
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
      return { problem: formatProblem(list.errors[0]!).replace(/^\[\w+\] /, "") };
    } catch (error) {
      return { problem: describeOpenError(file, error as NodeJS.ErrnoException) };
    }
  }
}
