/** The state that an engine shows at `GET /debug/state`. */

import type { PullOutcome } from "../dialects/shared/kv-pull.ts";
import type { Fault } from "../faults/fault.ts";
import type { KvRefusal } from "../kv/kv-store.ts";
import type { EngineRole } from "../roles.ts";

/** `waiting` includes a KV transfer; `streaming` is decode, whether the response is streamed or not. */
export type Phase = "waiting" | "prefilling" | "streaming" | "done";

/** `receiving`: the body had not arrived in full. */
export type AbortPhase = "receiving" | Exclude<Phase, "done">;

/** The reasons that most dialects know; a dialect may have its own. */
export type RecomputeCounts = Record<Exclude<PullOutcome, "ok"> | "missing_params", number> &
  Record<string, number>;

/** The JSON of `GET /debug/state`. Counts are since the start of the engine. */
export interface EngineState {
  readonly role: EngineRole;
  readonly dialect: string;
  readonly engineId: string;
  readonly model: string;
  /** KV that the engine holds now: prompts, their bytes, and the oldest ids. */
  readonly held: number;
  readonly heldBytes: number;
  readonly heldIds: readonly string[];
  /** Tokens whose KV stays in use although their clients have left, by the fault `leak`. */
  readonly leakedTokens: number;
  /** KV that it ever held; each entry ends as one of the four below. */
  readonly stored: number;
  readonly fetched: number;
  readonly released: number;
  readonly expired: number;
  readonly evicted: number;
  /** Leases that a decode engine has renewed. */
  readonly renewed: number;
  /** Fetches that this engine rejected as the one that holds the KV. */
  readonly refused: Readonly<Record<KvRefusal, number>>;
  /** Requests whose KV came from another engine. */
  readonly remotePrefills: number;
  /** Prompts that this engine computed although a prefill engine should have, by reason. */
  readonly recomputed: Readonly<RecomputeCounts>;
  /** Requests that the engine ended with an error after it had accepted them. */
  readonly failed: number;
  /** Waits for something that another engine has to bring: how many, and the oldest names. */
  readonly rendezvousWaiting: number;
  readonly rendezvousNames: readonly string[];
  /** Waits for another engine that timed out. */
  readonly rendezvousTimedOut: number;
  /** Requests whose client disconnected, by the phase that they were in. */
  readonly aborted: Readonly<Record<AbortPhase, number>>;
  readonly running: number;
  readonly waiting: number;
  /** Inference requests whose body arrived, including rejected ones. */
  readonly requestsSeen: number;
  /** What a proxy that follows the protocol never does: how often, and the last of it in words. */
  readonly protocolViolations: number;
  readonly violations: readonly string[];
  /** Connections to the HTTP port, without those that carried `/debug` or went to the side port. */
  readonly connectionsAccepted: number;
  readonly connectionsOpen: number;
  /** `X-Request-Id` of the last inference requests, oldest first; `""` when there was none. */
  readonly requestIds: readonly string[];
  readonly faults: readonly Fault[];
}
