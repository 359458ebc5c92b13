/**
 * The KV caches that prefill engines hold, by whatever name their dialect gives them: decode engines look there whether
 * what a request names is there, and of the right prompt.
 */
import type { Asked } from "./generation.ts";

export class KvBook {
  /** Held and not fetched. */
  readonly held = new Set<string>();
  /** Of all that was ever held, what it is of. */
  readonly #contents = new Map<string, string>();
  #serial = 0;

  /** @returns a name that nobody has had */
  newName(): string {
    this.#serial += 1;
    return `kv${this.#serial}`;
  }

  put(name: string, asked: Asked): void {
    this.held.add(name);
    this.#contents.set(name, contentOf(asked));
  }

  /** Undefined = it was there; else what is wrong. It may be fetched once more: by a request that is repeated. */
  fetch(name: string, asked: Asked): string | undefined {
    this.held.delete(name);
    const content = this.#contents.get(name);
    if (content === undefined) return `no KV cache ${name}`;
    return content === contentOf(asked) ? undefined : `${name} is of another prompt`;
  }
}

/** A prompt with what it is continued by. */
export function contentOf({ prompt, done }: Asked): string {
  return `${prompt}+${done}`;
}
