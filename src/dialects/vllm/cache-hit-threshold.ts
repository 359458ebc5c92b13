/** The field by which an engine gives a prompt back that it has too little of, and how its answer says so (vLLM RFC 24256). */

import { arrayElements } from "../../body/json/array.ts";
import { KeyName } from "../../body/json/key-name.ts";
import { memberValue, type Span } from "../../body/json/member-value.ts";
import { EventData, EventEnds } from "../../body/sse.ts";
import type { DecodeInspection } from "../dialect.ts";

export const cacheHitThreshold: KeyName = new KeyName("cache_hit_threshold");

const choices = new KeyName("choices");
const delta = new KeyName("delta");
const role = new KeyName("role");
const finishReason = new KeyName("finish_reason");
const givenBack = Buffer.from('"cache_threshold"');

/** An engine that gives a prompt back has next to nothing to say. */
const inspectedBytesMax = 65_536;

/**
 * Looks at an answer, whole or as events, until it can tell. An answer that gives the prompt back is read to its end, which follows at
 * once: its connection can be used again.
 */
export class ThresholdInspector {
  readonly #ends = new EventEnds();
  /** What was looked at. */
  #at = 0;
  #isGivenBack = false;

  look(body: Buffer, isComplete: boolean): DecodeInspection {
    const verdict = this.#look(body, isComplete);
    return verdict === "needs-prefill" && !isComplete ? "incomplete" : verdict;
  }

  #look(body: Buffer, isComplete: boolean): DecodeInspection {
    if (this.#isGivenBack) return "needs-prefill";
    // What begins as an object is no stream of events.
    const verdict = body[0] === 0x7b ? this.#object(body, isComplete) : this.#events(body);
    this.#isGivenBack = verdict === "needs-prefill";
    return verdict === "incomplete" && (isComplete || body.length > inspectedBytesMax)
      ? "deliver"
      : verdict;
  }

  #object(body: Buffer, isComplete: boolean): DecodeInspection {
    return isComplete ? verdictOf(body) : "incomplete";
  }

  #events(body: Buffer): DecodeInspection {
    for (;;) {
      const start = this.#at;
      const end = this.#ends.next(body, start + this.#scanned, body.length);
      if (end < 0) {
        this.#scanned = body.length - start;
        return "incomplete";
      }
      this.#scanned = 0;
      this.#at = end;
      const { json } = new EventData(body.subarray(start, end));
      const verdict = json === undefined ? "incomplete" : verdictOf(json);
      if (verdict !== "incomplete") return verdict;
    }
  }

  /** Of the event at `#at`, as far as its end was looked for. */
  #scanned = 0;
}

/** `incomplete` for the event with which a chat opens: it says only whose words will follow. */
function verdictOf(json: Buffer): DecodeInspection {
  const choice = firstChoice(json);
  if (choice === undefined) return "deliver";
  const reason = memberValue(choice, finishReason);
  if (reason !== undefined && isGivenBack(choice, reason)) return "needs-prefill";
  const isEnd = reason !== undefined && choice[reason.start] === 0x22;
  return !isEnd && opensChat(choice) ? "incomplete" : "deliver";
}

function isGivenBack(choice: Buffer, { start, end }: Span): boolean {
  return choice.subarray(start, end).equals(givenBack);
}

function opensChat(choice: Buffer): boolean {
  const span = memberValue(choice, delta);
  return (
    span !== undefined && memberValue(choice.subarray(span.start, span.end), role) !== undefined
  );
}

function firstChoice(json: Buffer): Buffer | undefined {
  const span = memberValue(json, choices);
  const first = span && arrayElements(json, span.start, span.end)?.[0];
  return first && json.subarray(first.start, first.end);
}
