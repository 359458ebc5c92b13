/** A folder in which engines store KV for each other, one file per prompt, as vLLM's ExampleConnector does. */

import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { kvEntriesMax } from "../limits.ts";

/** The setting of all dialects that have such a folder. */
export const storePath = z.string().min(1).default(join(tmpdir(), "global-proxy-kv"));

/** Whether the folder has a prompt's KV: `store_miss` = no, `store_broken` = not as it was written. */
export type StoreOutcome = "ok" | "store_miss" | "store_broken";

/** The prompt whose KV is stored. */
interface StoredPrompt {
  readonly promptHash: string;
  readonly promptTokens: number;
}

const entrySchema = z.object({ promptHash: z.string(), tokens: z.number() });

export class SharedStore {
  readonly #folder: string;
  /** Files that this engine has written, the oldest first. Real engines never remove any. */
  readonly #written = new Set<string>();

  /** Throws when the folder cannot be created. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
  }

  /** Resolves when others can read it. */
  async put({ promptHash, promptTokens: tokens }: StoredPrompt): Promise<void> {
    const file = this.#file(promptHash);
    // Another engine may read at any time, and must see the whole file or none.
    const unfinished = `${file}.${randomUUID()}`;
    await writeFile(unfinished, JSON.stringify({ promptHash, tokens }));
    await rename(unfinished, file);
    this.#written.delete(file);
    this.#written.add(file);
    if (this.#written.size <= kvEntriesMax) return;
    const oldest = this.#written.values().next().value!;
    this.#written.delete(oldest);
    await rm(oldest, { force: true });
  }

  async look({ promptHash, promptTokens: tokens }: StoredPrompt): Promise<StoreOutcome> {
    try {
      const entry = entrySchema.safeParse(
        JSON.parse(await readFile(this.#file(promptHash), "utf8")),
      ).data;
      const isSame = entry?.promptHash === promptHash && entry.tokens === tokens;
      return isSame ? "ok" : "store_broken";
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ENOENT" ? "store_miss" : "store_broken";
    }
  }

  #file(promptHash: string): string {
    return join(this.#folder, promptHash);
  }
}
