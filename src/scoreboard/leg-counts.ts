/**
 * What has become of the requests that were sent to each engine, and what its prefills have computed. Each worker
 * writes its own rows; the numbers only grow as long as the slot belongs to the engine.
 */

import { type RowsShape, SlotRows, slotRowsLength } from "./slot-rows.ts";

/** The requests of a client's request to engines. */
export const legNames = ["encode", "prefill", "decode"] as const;
export type RequestLeg = (typeof legNames)[number];

/** Classes of an engine's status. `none`: no head of a response has come. */
export const legStatuses = ["none", "2xx", "3xx", "4xx", "5xx"] as const;

/** How a leg fails: the members of `LegFailure` (`proxy/context/legs.ts`). */
export const legFailures = ["error", "timeout", "invalid", "descriptors"] as const;
type Failure = (typeof legFailures)[number];

/** Of prompts whose prefill engine has said how long they are, and of which the pool predicts what is cached. */
export const promptCounts = ["prompt", "cached", "predictedCached"] as const;
type PromptCount = (typeof promptCounts)[number];

const firstFailure = legNames.length * legStatuses.length;
const firstPrompt = firstFailure + legNames.length * legFailures.length;
const fields = firstPrompt + promptCounts.length;

export function legCountsLength(shape: RowsShape): number {
  return slotRowsLength(shape, fields);
}

export class LegCounts {
  readonly #rows: SlotRows;

  /** @param worker whose rows this instance writes */
  constructor(memory: SharedArrayBuffer, at: number, shape: RowsShape, worker: number) {
    this.#rows = new SlotRows(memory, at, shape, { worker, fields });
  }

  /** A request to the engine is over. @param status of its response; 0 = no head has come */
  ended(slot: number, leg: RequestLeg, status: number): void {
    const kind = status < 200 || status > 599 ? 0 : Math.floor(status / 100) - 1;
    this.#rows.add(slot, legNames.indexOf(leg) * legStatuses.length + kind, 1);
  }

  failed(slot: number, leg: RequestLeg, failure: Failure): void {
    const kind = legFailures.indexOf(failure);
    this.#rows.add(slot, firstFailure + legNames.indexOf(leg) * legFailures.length + kind, 1);
  }

  /**
   * A prefill engine has said how long a prompt is.
   * @param cached tokens of it that the engine had cached, as it says
   * @param predictedCached the same as the pool had predicted it
   */
  prefilled(slot: number, prompt: number, cached: number, predictedCached: number): void {
    this.#rows.add(slot, firstPrompt, prompt);
    this.#rows.add(slot, firstPrompt + 1, cached);
    this.#rows.add(slot, firstPrompt + 2, predictedCached);
  }

  requests(slot: number, leg: RequestLeg, status: (typeof legStatuses)[number]): number {
    const kind = legStatuses.indexOf(status);
    return this.#rows.sum(slot, legNames.indexOf(leg) * legStatuses.length + kind);
  }

  failures(slot: number, leg: RequestLeg, failure: Failure): number {
    const kind = legFailures.indexOf(failure);
    return this.#rows.sum(slot, firstFailure + legNames.indexOf(leg) * legFailures.length + kind);
  }

  promptTokens(slot: number, count: PromptCount): number {
    return this.#rows.sum(slot, firstPrompt + promptCounts.indexOf(count));
  }

  /** Clears a slot before another engine gets it. */
  clearSlot(slot: number): void {
    this.#rows.clearSlot(slot);
  }
}
