/**
 * The engines of a pool, one for each data-parallel rank: what the configuration says in one line may be several
 * engines.
 */

import type { EngineConfig, PoolConfig } from "../config/schema/schema.ts";
import { parseEngineUrl } from "../config/values/engine-url.ts";
import { type Address, addressOf } from "./address.ts";

export interface ConfiguredEngine {
  readonly config: EngineConfig;
  readonly address: Address;
  /** -1 = none. */
  readonly dpRank: number;
  /**
   * Tells it from the other engines of its pool, and is how logs name it: the address, with `@RANK` where it has one.
   */
  readonly name: string;
  /** What the configuration says of it, in the URL or beside it; where both do, beside it counts. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** Throws for what `checkConfig` would have refused. */
export function enginesOf({ engines }: Pick<PoolConfig, "engines">): ConfiguredEngine[] {
  return engines.flatMap((config) => {
    const parsed = parseEngineUrl(config.url);
    if ("problem" in parsed) throw new Error(`engine url "${config.url}": ${parsed.problem}`);
    const address = addressOf(parsed.address);
    const attributes = { ...parsed.attributes, ...config.attributes };
    return parsed.dpRanks.map((dpRank) => {
      const name = dpRank < 0 ? address.key : `${address.key}@${dpRank}`;
      return { config, address, dpRank, name, attributes };
    });
  });
}
