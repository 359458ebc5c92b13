/** When what has happened to a request, and to each of its legs: what operators see of one that has ended. */
import type { Decision } from "../../../pool/engine-snapshot.ts";
import { legNames, type RequestLeg } from "../../../scoreboard/leg-counts.ts";
import { type TriedLegs, triesOf } from "../legs.ts";

/** One try of one leg. Times in ms since the request arrived; -1 = did not happen. */
export interface LegTimes {
  readonly leg: RequestLeg;
  /** "" = it is not known any more which of the pool's engines it was: `address` says where it is. */
  readonly pool: string;
  readonly engine: string;
  readonly address: string;
  readonly sentMs: number;
  readonly headMs: number;
  readonly endMs: number;
  /** 0 = no head of a response has come. */
  readonly status: number;
}

/** -1 = not known. */
export interface RecordedTokens {
  readonly prompt: number;
  /** Of the prompt, what an engine had in its cache. */
  readonly cached: number;
  readonly output: number;
}

/** Times in ms since the request arrived; -1 = did not happen. */
export interface RequestRecord {
  readonly requestId: string;
  /** When it came, as ISO 8601. */
  readonly at: string;
  readonly path: string;
  /** As the client names it; "" = it does not. */
  readonly model: string;
  readonly isStream: boolean;
  /** Of the response; 0 = there is none yet. */
  readonly status: number;
  /** How it ended; "" = it has not. */
  readonly outcome: string;
  /** What the client was told; "" = it got a response of an engine, or it has not ended. */
  readonly message: string;
  /** The pool in whose queue it is; "" = in none. */
  readonly waitsFor: string;
  /** Somebody other than the client is to blame for how it ended. */
  readonly hasFailed: boolean;
  /** What it has waited in queues, in all. */
  readonly heldMs: number;
  readonly firstByteMs: number;
  readonly endMs: number;
  readonly tokens: RecordedTokens;
  readonly legs: readonly LegTimes[];
}

/** What is kept of a request that has ended. Times in ms of the monotonic clock; below 0 = did not happen. */
export interface EndedRequest extends TriedLegs {
  readonly status: number;
  readonly outcome: { readonly code: string; readonly message: string } | undefined;
  readonly startMs: number;
  readonly heldMs: number;
  readonly firstByteMs: number;
  readonly endMs: number;
}

/** Each try of each leg. */
export function legsOf(ended: EndedRequest, decisions: readonly Decision[]): LegTimes[] {
  const since = (ms: number) => (ms < 0 ? -1 : ms - ended.startMs);
  return legNames.flatMap((leg) => {
    // A decision that found no engine has no try.
    const chosen = decisions.filter((one) => one.leg === leg && one.chosen !== "");
    return triesOf(ended, leg).map(({ address, sentMs, headMs, endMs, status }, index) => ({
      leg,
      pool: chosen[index]?.pool ?? "",
      engine: chosen[index]?.chosen ?? "",
      address,
      sentMs: since(sentMs),
      headMs: since(headMs),
      endMs: since(endMs),
      status,
    }));
  });
}
