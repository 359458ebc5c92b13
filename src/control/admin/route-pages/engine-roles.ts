/** Which engines encode, prefill and decode, by what the routes of the configuration do with their pools. */
import type { Config } from "../../../config/schema/schema.ts";
import { dialectOf } from "../../../dialects/registry.ts";
import type { Address } from "../../../pool/address.ts";
import type { Engine } from "../../../pool/engine.ts";
import type { Pool } from "../../../pool/pool.ts";
import { allRouteParts } from "../../discovery/route-pools.ts";

/** In the order of omni_proxy's pages. */
export const engineRoles = ["encode", "prefill", "decode"] as const;
export type EngineRole = (typeof engineRoles)[number];

/** One server: ranks behind one address are one. */
export interface Endpoint {
  readonly role: EngineRole;
  /** Of the role, from 0. */
  readonly index: number;
  readonly address: Address;
  /** Those at this address, in all pools of the role. */
  readonly engines: readonly { readonly pool: Pool; readonly engine: Engine }[];
}

/** Engines that serve whole requests count as decode engines, as in omni_proxy. */
export function endpointsOf(config: Config, pools: readonly Pool[]): Endpoint[] {
  const byRole = poolsByRole(config);
  return engineRoles.flatMap((role) => {
    const engines = pools
      .filter(({ name }) => byRole[role].has(name))
      .flatMap((pool) => pool.engines.map((engine) => ({ pool, engine })));
    return byAddress(engines).map((ones, index) => ({
      role,
      index,
      address: ones[0]!.engine.address,
      engines: ones,
    }));
  });
}

type Place = Endpoint["engines"][number];

function byAddress(engines: readonly Place[]): Place[][] {
  const groups = new Map<string, Place[]>();
  for (const one of engines) {
    const { key } = one.engine.address;
    const group = groups.get(key) ?? [];
    group.push(one);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** @returns names of pools */
export function poolsByRole(config: Config): Readonly<Record<EngineRole, ReadonlySet<string>>> {
  const found = {
    encode: new Set<string>(),
    prefill: new Set<string>(),
    decode: new Set<string>(),
  };
  const add = (role: EngineRole, names: readonly string[]) => {
    for (const name of names) found[role].add(name);
  };
  const routes = allRouteParts(config);
  for (const { route, encode, prefill, decode, whole } of routes) {
    add("encode", encode);
    add("prefill", prefill);
    add("decode", decode);
    if (dialectOf(route.dialect)?.servesWhole) add("decode", whole);
  }
  if (found.decode.size === 0) for (const { whole } of routes) add("decode", whole);
  return found;
}
