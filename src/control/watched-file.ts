/**
 * A file that is looked at again when it has changed and then been quiet for a moment, so that one that is being
 * written is not taken for a shorter one. Changes are noticed by `fs.watch` on its folder, and by looking at it from
 * time to time: what a symbolic link leads to, and network file systems, are not watched.
 */
import { type FSWatcher, type Stats, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import { watchedFileQuietMs, watchedFileUnquietMsMax } from "./limits.ts";

export interface WatchedFileOptions {
  readonly file: string;
  /** How often it is looked at, whether or not a change was noticed. */
  readonly pollMs: number;
  /** Monotonic. */
  nowMs(): number;
  /** The file is to be read again. */
  changed(): void;
}

export class WatchedFile {
  readonly #options: WatchedFileOptions;
  #watcher: FSWatcher | undefined;
  readonly #poll: NodeJS.Timeout;
  #quiet: NodeJS.Timeout | undefined;
  /** Of the file as it was read last. */
  #seen: string;
  #closed = false;

  /** To be made before the file is read for the first time: what changes after that is noticed. */
  constructor(options: WatchedFileOptions) {
    this.#options = options;
    this.#seen = this.#stamp();
    this.#watch();
    this.#poll = setInterval(() => this.#look(), options.pollMs);
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
      const folder = dirname(this.#options.file);
      this.#watcher = watch(folder, { persistent: false }, () => this.#look());
      this.#watcher.on("error", () => this.#watcher?.close());
    } catch {
      // There are no more watches, or the folder is gone: it is looked at from time to time.
    }
  }

  /** Reads the file if it has changed, as soon as it is quiet. */
  #look(sinceMs = this.#options.nowMs()): void {
    if (this.#closed || this.#quiet !== undefined) return;
    const stamp = this.#stamp();
    if (stamp === this.#seen) return;
    this.#quiet = setTimeout(() => {
      this.#quiet = undefined;
      const isQuiet = this.#stamp() === stamp;
      if (!isQuiet && this.#options.nowMs() - sinceMs <= watchedFileUnquietMsMax) {
        this.#look(sinceMs);
        return;
      }
      if (this.#closed) return;
      this.#seen = stamp;
      this.#options.changed();
    }, watchedFileQuietMs);
  }

  /** Of what a link leads to. Differs whenever the content may. */
  #stamp(): string {
    try {
      const { dev, ino, size, mtimeMs, ctimeMs }: Stats = statSync(this.#options.file);
      return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
    } catch (error) {
      return `${(error as NodeJS.ErrnoException).code}`;
    }
  }
}
