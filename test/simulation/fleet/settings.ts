/** What a fleet is made of, by its seed. */

import type { Dialect } from "../../../src/dialects/dialect.ts";
import { allDialects } from "../../../src/dialects/registry.ts";
import { canResume } from "../../../src/dialects/resume.ts";
import { timeouts, World } from "../world.ts";
import type { Chance } from "./chance.ts";
import type { FleetRules } from "./fleet-engines.ts";
import type { Path } from "./generation.ts";

const policies = [
  "round_robin",
  "least_conn",
  "random",
  "length_balance",
  "cache_aware",
  "predictive",
] as const;

/**
 * `wild`: all goes wrong. `calm`: only clients make trouble. `mortal`: beside them decode engines die, one at a time, and
 * streams go on.
 */
export type Mood = "wild" | "calm" | "mortal";

export interface FleetSettings {
  readonly world: World;
  readonly rules: FleetRules;
  readonly dialect: Dialect<FleetRules["dialect"]>;
  readonly resumes: boolean;
  readonly mood: Mood;
  /** A prefill's response may be lost on its way, with the name of its KV cache. */
  readonly losesResponses: boolean;
  readonly paths: readonly Path[];
  /** Most engines that are tried for each leg of a request. */
  readonly tries: number;
}

/** The dialects take turns, so that each gets as many seeds. */
export function fleetOf(seed: number, chance: Chance): FleetSettings {
  const dialect: FleetSettings["dialect"] = allDialects[seed % allDialects.length]!;
  const { name, family, servesWhole, requiresPrefill } = dialect;
  const mood = chance.of<Mood>(["wild", "wild", "wild", "wild", "wild", "calm", "mortal"]);
  const isMortal = mood === "mortal" && canResume(dialect);
  const resumes = isMortal || (canResume(dialect) && chance.happens(0.5));
  const route = { ...routeOf(chance, dialect, mood), resume: resumes };
  // Between two deaths there is time for the first byte.
  const kernelBytes = isMortal ? 131_072 : chance.of([64, 1_000, 131_072]);
  const world = new World({
    seed,
    workers: chance.of([1, 1, 2, 3]),
    prefill: servesWhole ? 0 : 1 + chance.below(4),
    decode: (isMortal ? 2 : 1) + chance.below(3),
    latencyMs: [0, chance.below(20)],
    readBytes: [1, chance.of([7, 200, 1_000, 65_536])],
    kernelBytes,
    server: { routes: [route] },
    engine: engineOf(chance, mood),
    pool: poolOf(chance),
    config: {
      logFormats: { sim: { format: "$http_x_request_id $status $outcome" } },
      ...(chance.happens(0.1) && mood === "wild" && { bodyBytesTotalMax: 1_500 }),
    },
  });
  const isNative = family?.name === "sglang" || servesWhole;
  return {
    world,
    dialect,
    resumes,
    mood: isMortal || mood !== "mortal" ? mood : "wild",
    losesResponses: kernelBytes < 131_072 || route.prefillTimeoutMs !== undefined,
    tries: route.retry?.tries || Math.max(world.prefill.length, world.decode.length),
    rules: {
      dialect: name,
      mayComputeAlone: !requiresPrefill && !servesWhole && mayComputeAlone(route),
      preempts: (name === "vllm-ascend" || name === "vllm-ascend-layerwise") && chance.happens(0.5),
    },
    paths: ["/v1/completions", "/v1/chat/completions", ...(isNative ? ["/generate" as const] : [])],
  };
}

function routeOf(chance: Chance, { name, servesWhole, requiresPrefill }: Dialect, mood: Mood) {
  const isWild = mood === "wild";
  const isSplit = !servesWhole;
  const mayBeAlone = isSplit && !requiresPrefill;
  return {
    match: { path: "/" },
    target: { pool: "decode" },
    dialect: name as FleetRules["dialect"],
    ...(isSplit && { prefill: { pool: "prefill" } }),
    ...(chance.happens(0.3) &&
      isWild && {
        retry: {
          ...(chance.happens(0.5) && { on: ["error" as const, "timeout" as const] }),
          tries: chance.below(3),
        },
      }),
    ...(mayBeAlone && chance.happens(0.2) && { onPrefillFailure: "decode_only" as const }),
    ...(mayBeAlone && chance.happens(0.1) && { prefillMinTokens: 60 }),
    ...(isSplit && { onMissingTransfer: chance.of(["recompute", "retry", "error"] as const) }),
    ...(chance.happens(0.15) && isWild && { requestTimeoutMs: chance.of([300, 3_000]) }),
    ...(isSplit && chance.happens(0.15) && isWild && { prefillTimeoutMs: chance.of([40, 600]) }),
    ...(chance.happens(0.1) && { keepAliveCommentMs: 50 }),
    ...timeouts,
    accessLogs: [{ file: "log", format: "sim" }],
  };
}

function mayComputeAlone(route: ReturnType<typeof routeOf>): boolean {
  const { onPrefillFailure, prefillMinTokens, onMissingTransfer } = route;
  return (
    onPrefillFailure !== undefined ||
    prefillMinTokens !== undefined ||
    onMissingTransfer === "recompute"
  );
}

function engineOf(chance: Chance, mood: Mood) {
  return {
    attributes: { engine_id: "e" },
    maxConns: mood === "mortal" ? 0 : chance.of([0, 0, 1, 3]),
    // Without it engines are ejected as in Envoy.
    ...(mood !== "mortal" && chance.happens(0.3) && { maxFails: chance.of([0, 1, 3]) }),
  };
}

function poolOf(chance: Chance) {
  return {
    keepAlive: {
      idleMs: 1_500,
      connections: chance.of([0, 1, 256]),
      requests: chance.of([1, 2, 1_000]),
    },
    policy: { name: chance.of(policies) },
    ...(chance.happens(0.5) && {
      queue: { max: chance.of([1, 3, 100]), timeoutMs: chance.of([300, 30_000]) },
    }),
    shadow: { name: chance.of(["least_bytes", "cache_aware", "ascend_heap"] as const) },
  };
}
