/** The decisions of one request, for its client (`X-Explain`), and for operators who ask by its id. */

import { explainedDecisionsMax } from "../../limits.ts";
import type { Decision } from "../../pool/engine-snapshot.ts";

/** What an operator is shown; a client is shown the decisions. */
export interface Explained {
  readonly requestId: string;
  /** When it came, as ISO 8601. */
  readonly at: string;
  readonly path: string;
  /** Of the response; 0 = there is none yet. */
  readonly status: number;
  /** How it ended; "" = it has not. */
  readonly outcome: string;
  /** From its arrival to the first byte of the response, and to the last; -1 = not yet. */
  readonly firstByteMs: number;
  readonly endMs: number;
  readonly decisions: readonly object[];
}

/**
 * What an explanation reads of a request that has ended. Times in ms of the monotonic clock; below 0 = did not happen.
 */
export interface EndedRequest {
  readonly status: number;
  readonly outcome: { readonly code: string } | undefined;
  readonly startMs: number;
  readonly firstByteMs: number;
  readonly endMs: number;
}

export class Explanation {
  readonly requestId: string;
  readonly #isForClient: boolean;
  readonly #startedMs: number;
  readonly #decisions: Decision[] = [];
  readonly #path: string;
  #status = 0;
  #outcome = "";
  #firstByteMs = -1;
  #endMs = -1;

  /** @param startedMs since the epoch */
  constructor(requestId: string, path: string, isForClient: boolean, startedMs: number) {
    this.requestId = requestId;
    this.#path = path;
    this.#isForClient = isForClient;
    this.#startedMs = startedMs;
  }

  add(decision: Decision): void {
    if (this.#decisions.length < explainedDecisionsMax) this.#decisions.push(decision);
  }

  get decisions(): readonly Decision[] {
    return this.#decisions;
  }

  /** The request has ended. Its context, which holds the body, is not referred to any more. */
  end({ status, outcome, startMs, firstByteMs, endMs }: EndedRequest): void {
    this.#status = status;
    this.#outcome = outcome?.code ?? "";
    this.#firstByteMs = firstByteMs < 0 ? -1 : firstByteMs - startMs;
    this.#endMs = endMs - startMs;
  }

  /** The header line; "" = the client gets none. */
  line(): string {
    if (!this.#isForClient || this.#decisions.length === 0) return "";
    // Names of pools can be anything; a header line cannot.
    return `X-Explain: ${jsonOf(this.#decisions.map(decisionJson)).replace(/[^\x20-\x7e]/g, "?")}\r\n`;
  }

  toJson(): Explained {
    return {
      requestId: this.requestId,
      at: new Date(this.#startedMs).toISOString(),
      path: this.#path,
      status: this.#status,
      outcome: this.#outcome,
      firstByteMs: this.#firstByteMs,
      endMs: this.#endMs,
      decisions: this.#decisions.map(decisionJson),
    };
  }
}

/** The chosen engine first, then those that came closest. */
function decisionJson({ poolSize, ...decision }: Decision): object {
  const { chosen, engines } = decision;
  const first = engines.filter(({ engine }) => engine === chosen);
  const others = engines.filter(({ engine }) => engine !== chosen);
  const untold = poolSize - engines.length;
  return { ...decision, engines: [...first, ...others], ...(untold > 0 && { untold }) };
}

/** Numbers have three places at most. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "number" ? Math.round(member * 1_000) / 1_000 : member,
  );
}
