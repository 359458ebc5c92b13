/**
 * The engines of a pool as all its sources say them. An engine is told by its address: of one that several sources
 * have, the first source says the settings, and it drains if any of them says so.
 */

import type { EngineConfig } from "../../../config/schema/schema.ts";
import { parseEngineUrl } from "../../../config/values/engine-url.ts";
import { addressOf } from "../../../pool/address.ts";

/** What one source says of a pool. */
export interface SourceList {
  /** As operators see it. */
  readonly name: string;
  readonly engines: readonly EngineConfig[];
}

export interface MergedPool {
  readonly engines: readonly EngineConfig[];
  /** Which sources have an engine, by its address. */
  readonly sources: ReadonlyMap<string, readonly string[]>;
  /** Engines for which there is no room. */
  readonly left: number;
}

/** @param lists the first one counts most, and may name an engine twice: as in nginx, it gets twice the load then */
export function mergeSources(lists: readonly SourceList[], enginesMax: number): MergedPool {
  const engines: EngineConfig[] = [];
  const sources = new Map<string, string[]>();
  const draining = new Set<string>();
  let left = 0;
  for (const [index, list] of lists.entries()) {
    /** Addresses that this list names first, and what it names there: an address may have several ranks. */
    const own = new Map<string, Set<string>>();
    for (const engine of list.engines) {
      const { key, ranks } = placeOf(engine);
      if (engine.draining) draining.add(key);
      const others = sources.get(key);
      if (others !== undefined && !own.has(key)) {
        if (!others.includes(list.name)) others.push(list.name);
        continue;
      }
      const named = own.get(key) ?? new Set<string>();
      if (index > 0 && named.has(ranks)) continue;
      if (engines.length >= enginesMax) {
        left += 1;
        continue;
      }
      own.set(key, named.add(ranks));
      if (others === undefined) sources.set(key, [list.name]);
      engines.push(engine);
    }
  }
  if (draining.size === 0) return { engines, sources, left };
  const marked = engines.map((engine) =>
    draining.has(addressKeyOf(engine)) ? { ...engine, draining: true } : engine,
  );
  return { engines: marked, sources, left };
}

/** The address without rank and attributes, as logs name it. Its URL must be valid. */
export function addressKeyOf(engine: Pick<EngineConfig, "url">): string {
  return placeOf(engine).key;
}

function placeOf({ url }: Pick<EngineConfig, "url">): { key: string; ranks: string } {
  const parsed = parseEngineUrl(url);
  if ("problem" in parsed) throw new Error(`engine url "${url}": ${parsed.problem}`);
  return { key: addressOf(parsed.address).key, ranks: parsed.dpRanks.join() };
}

const listedMax = 8;

/** `2 engines more (a, b), 1 less (c)`: what a source says now and did not say before. */
export function changeInWords(
  before: readonly EngineConfig[],
  after: readonly EngineConfig[],
): string {
  const [old, now] = [before, after].map((list) => [...new Set(list.map(addressKeyOf))]);
  const parts = [
    listed(
      "more",
      now!.filter((address) => !old!.includes(address)),
    ),
    listed(
      "less",
      old!.filter((address) => !now!.includes(address)),
    ),
  ].filter((part) => part !== "");
  return `${now!.length} engines now${parts.length === 0 ? ", with other settings" : `: ${parts.join(", ")}`}`;
}

function listed(word: string, addresses: readonly string[]): string {
  if (addresses.length === 0) return "";
  const more = addresses.length > listedMax ? ", …" : "";
  return `${addresses.length} ${word} (${addresses.slice(0, listedMax).join(", ")}${more})`;
}
