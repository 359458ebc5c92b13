/** How the fleet is drawn: which pools stand beside each other, where each engine is, and what flows between them. */
import type {
  Fleet,
  FleetEngine,
  FleetPool,
  Load,
  Role,
} from "../../src/control/admin/dashboard/messages.ts";
import type { EngineFlow } from "../../src/proxy/worker/engine-flows.ts";
import { loadOf } from "./state.ts";
import { ageText, countText, numberText, percentText } from "./words.ts";

/** More engines than that in a pool are cells of a grid, not cards. */
export const cardsMax = 10;

export interface FleetColumn {
  readonly role: Role;
  readonly pools: readonly { readonly pool: FleetPool; readonly index: number }[];
}

/** Pools that work for each other, by their parts from left to right. */
export interface FleetGroup {
  readonly name: string;
  readonly columns: readonly FleetColumn[];
}

const order: readonly Role[] = ["encode", "prefill", "decode", "serve"];

export function groupsOf({ pools, links }: Fleet): FleetGroup[] {
  const groupOf = pools.map((_, index) => index);
  const root = (index: number): number =>
    groupOf[index] === index ? index : root(groupOf[index]!);
  for (const [from, to] of links) groupOf[root(from)] = root(to);
  const groups = new Map<number, number[]>();
  pools.forEach((_, index) => {
    const key = root(index);
    groups.set(key, [...(groups.get(key) ?? []), index]);
  });
  return [...groups.values()].map((indexes) => {
    const columns = order.flatMap((role) => {
      const ones = indexes.filter((index) => pools[index]!.role === role);
      if (ones.length === 0) return [];
      return [{ role, pools: ones.map((index) => ({ pool: pools[index]!, index })) }];
    });
    return { name: indexes.map((index) => pools[index]!.pool).join(", "), columns };
  });
}

/** Requests of the last seconds between engines of two columns, as shares of the largest one. */
export interface DrawnFlow {
  readonly from: number;
  readonly to: number;
  readonly requests: number;
  /** Of 1. */
  readonly share: number;
}

/** @param from, to the engines in the order in which they are drawn, as `trailKey` names them */
export function flowsBetween(
  flows: readonly EngineFlow[],
  from: readonly string[],
  to: readonly string[],
): DrawnFlow[] {
  const fromIndex = new Map(from.map((key, index) => [key, index]));
  const toIndex = new Map(to.map((key, index) => [key, index]));
  const sums = new Map<string, { from: number; to: number; requests: number }>();
  for (const flow of flows) {
    const left = fromIndex.get(`${flow.from.pool} ${flow.from.engine}`);
    const right = toIndex.get(`${flow.to.pool} ${flow.to.engine}`);
    if (left === undefined || right === undefined) continue;
    const key = `${left} ${right}`;
    const before = sums.get(key)?.requests ?? 0;
    sums.set(key, { from: left, to: right, requests: before + flow.requests });
  }
  const most = Math.max(1, ...[...sums.values()].map(({ requests }) => requests));
  return [...sums.values()].map((flow) => ({ ...flow, share: flow.requests / most }));
}

/** The glyph of a state, so that colour is not all that tells. */
export const stateGlyphs: Readonly<Record<FleetEngine["state"], string>> = {
  healthy: "●",
  degraded: "▲",
  ejected: "✕",
  starting: "◌",
  draining: "◐",
  down: "–",
};

export function stateText({ state, why }: Pick<FleetEngine, "state" | "why">): string {
  if (why === undefined || why === "failing") return state;
  return `${state} (${why === "full" ? "at its limit" : why.replace("-", " ")})`;
}

/** One sentence of an engine for those who do not see the picture. */
export function engineSentence(
  pool: FleetPool,
  poolIndex: number,
  index: number,
  load: Load | undefined,
  nowMs: number,
): string {
  const engine = pool.engines[index]!;
  const field = (name: Parameters<typeof loadOf>[3]) => loadOf(load, poolIndex, index, name);
  const kvUse = field("kvUse");
  return [
    `${pool.role === "serve" ? pool.pool : pool.role} ${engine.engine}`,
    `${stateText(engine)} for ${ageText(nowMs - engine.sinceMs)}`,
    `${countText(Math.max(0, field("inFlight")), "request")} in flight`,
    ...(kvUse >= 0 ? [`KV cache ${percentText(kvUse)} in use`] : []),
  ].join(", ");
}

/** The second line of a card: what the engine works on. */
export function workText(
  role: Role,
  poolIndex: number,
  index: number,
  load: Load | undefined,
): string {
  const field = (name: Parameters<typeof loadOf>[3]) => loadOf(load, poolIndex, index, name);
  const kvUse = field("kvUse");
  const tokens = Math.max(0, field("promptTokens")) + Math.max(0, field("responseTokens"));
  const parts = [`${numberText(Math.round(tokens))} tok`];
  if (role === "prefill" && field("kvOpen") > 0) parts.push(`${field("kvOpen")} KV held`);
  if (kvUse >= 0) parts.push(`KV ${percentText(kvUse)}`);
  return parts.join(" · ");
}
