/** A folder in which engines keep KV for each other, one file per prompt, as vLLM's ExampleConnector does. */

import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { InferenceRequest } from "../../core/inference-request.ts";
import { heldKvMax } from "../../options.ts";

/** The setting that all dialects with such a folder have. */
export const storePath = z.string().min(1).default(join(tmpdir(), "global-proxy-kv"));

/** Whether the folder has a prompt's KV: no, or not as it was written. */
export type StoreOutcome = "ok" | "store_miss" | "store_broken";

/** What is kept, by its hash. */
type Stored = Pick<InferenceRequest, "promptHash" | "promptTokens">;

const entrySchema = z.object({ promptHash: z.string(), tokens: z.number() });

export class SharedStore {
  readonly #folder: string;
  /** What this engine has written, the oldest first. The engine it is modelled on never takes anything away. */
  readonly #written = new Set<string>();

  /** Throws when there can be no such folder. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
  }

  /** Resolves when others can read it. */
  async put({ promptHash, promptTokens: tokens }: Stored): Promise<void> {
    const file = this.#file(promptHash);
    // Another engine may read at any time, and must see all of it or nothing.
    const unfinished = `${file}.${randomUUID()}`;
    await writeFile(unfinished, JSON.stringify({ promptHash, tokens }));
    await rename(unfinished, file);
    this.#written.delete(file);
    this.#written.add(file);
    if (this.#written.size <= heldKvMax) return;
    const oldest = this.#written.values().next().value!;
    this.#written.delete(oldest);
    await rm(oldest, { force: true });
  }

  async look({ promptHash, promptTokens: tokens }: Stored): Promise<StoreOutcome> {
    try {
      const entry = entrySchema.safeParse(
        JSON.parse(await readFile(this.#file(promptHash), "utf8")),
      ).data;
      const isIt = entry?.promptHash === promptHash && entry.tokens === tokens;
      return isIt ? "ok" : "store_broken";
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === "ENOENT" ? "store_miss" : "store_broken";
    }
  }

  #file(promptHash: string): string {
    return join(this.#folder, promptHash);
  }
}
