/**
 * The member by which an engine returns a prompt of which it has too little cached, and how its response says so
 * (vLLM RFC 24256).
 */

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
const returned = Buffer.from('"cache_threshold"');

/** A response that returns the prompt is short. */
const inspectedBytesMax = 65_536;

/**
 * Inspects a response, whole or as events, until the result is clear. A response that returns the prompt is read to
 * its end, which follows at once: its connection can be used again.
 */
export class ThresholdInspector {
  readonly #ends = new EventEnds();
  /** End of the events that were inspected. */
  #at = 0;
  #isReturned = false;

  look(body: Buffer, isComplete: boolean): DecodeInspection {
    const inspection = this.#look(body, isComplete);
    return inspection === "needs-prefill" && !isComplete ? "incomplete" : inspection;
  }

  #look(body: Buffer, isComplete: boolean): DecodeInspection {
    if (this.#isReturned) return "needs-prefill";
    // What begins as an object is no stream of events.
    const inspection = body[0] === 0x7b ? this.#object(body, isComplete) : this.#events(body);
    this.#isReturned = inspection === "needs-prefill";
    return inspection === "incomplete" && (isComplete || body.length > inspectedBytesMax)
      ? "deliver"
      : inspection;
  }

  #object(body: Buffer, isComplete: boolean): DecodeInspection {
    return isComplete ? inspect(body) : "incomplete";
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
      const inspection = json === undefined ? "incomplete" : inspect(json);
      if (inspection !== "incomplete") return inspection;
    }
  }

  /** Bytes after `#at` that have no end of an event. */
  #scanned = 0;
}

/** `incomplete` for the event with which a chat opens: it says only whose words will follow. */
function inspect(json: Buffer): DecodeInspection {
  const choice = firstChoice(json);
  if (choice === undefined) return "deliver";
  const reason = memberValue(choice, finishReason);
  if (reason !== undefined && isReturned(choice, reason)) return "needs-prefill";
  const isEnd = reason !== undefined && choice[reason.start] === 0x22;
  return !isEnd && opensChat(choice) ? "incomplete" : "deliver";
}

function isReturned(choice: Buffer, { start, end }: Span): boolean {
  return choice.subarray(start, end).equals(returned);
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
