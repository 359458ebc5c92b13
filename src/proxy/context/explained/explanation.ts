/** The decisions of one request, for its client (`X-Explain`), and for operators who ask by its id. */
import { explainedDecisionsMax } from "../../../limits.ts";
import type { Decision } from "../../../pool/engine-snapshot.ts";
import { type EndedRequest, legsOf, type RequestRecord } from "./request-record.ts";

/** What an operator is shown; a client is shown the decisions. */
export interface Explained extends RequestRecord {
  readonly decisions: readonly object[];
}

/** What is known of a request at its end that its times do not say. */
export type EndedFacts = Pick<RequestRecord, "model" | "isStream" | "hasFailed" | "tokens">;

const unknownFacts: EndedFacts = {
  model: "",
  isStream: false,
  hasFailed: false,
  tokens: { prompt: -1, cached: -1, output: -1 },
};

export class Explanation {
  readonly requestId: string;
  readonly #isForClient: boolean;
  readonly #startedMs: number;
  readonly #decisions: Decision[] = [];
  readonly #path: string;
  #ended: EndedRequest | undefined;
  #facts: EndedFacts = unknownFacts;
  /** The pool in whose queue it is; "" = in none. */
  waitsFor = "";

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
  end(ended: EndedRequest, facts: EndedFacts): void {
    const { status, outcome, startMs, heldMs, firstByteMs, endMs } = ended;
    const { encodes, prefills, decodes } = ended;
    const times = { startMs, heldMs, firstByteMs, endMs };
    this.#ended = { status, outcome, ...times, encodes, prefills, decodes };
    this.#facts = facts;
  }

  get hasFailed(): boolean {
    return this.#facts.hasFailed;
  }

  get isStream(): boolean {
    return this.#facts.isStream;
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** From its arrival to the first byte of the response, and to the last; -1 = not yet. */
  get firstByteMs(): number {
    return this.#since("firstByteMs");
  }

  get endMs(): number {
    return this.#since("endMs");
  }

  /** Since the epoch. */
  get endedAtMs(): number {
    return this.#startedMs + Math.max(0, this.endMs);
  }

  #since(moment: "firstByteMs" | "endMs"): number {
    const { startMs = 0, [moment]: ms = -1 } = this.#ended ?? {};
    return ms < 0 ? -1 : ms - startMs;
  }

  /** The header line; "" = the client gets none. */
  line(): string {
    if (!this.#isForClient || this.#decisions.length === 0) return "";
    // Names of pools can be anything; a header line cannot.
    return `X-Explain: ${jsonOf(this.#decisions.map(decisionJson)).replace(/[^\x20-\x7e]/g, "?")}\r\n`;
  }

  toJson(): Explained {
    return { ...this.record(), decisions: this.#decisions.map(decisionJson) };
  }

  /** Without the decisions, which are large. */
  record(): RequestRecord {
    const ended = this.#ended;
    return {
      requestId: this.requestId,
      at: new Date(this.#startedMs).toISOString(),
      path: this.#path,
      ...this.#facts,
      status: ended?.status ?? 0,
      outcome: ended?.outcome?.code ?? "",
      message: ended?.outcome?.message ?? "",
      waitsFor: ended === undefined ? this.waitsFor : "",
      heldMs: ended?.heldMs ?? -1,
      firstByteMs: this.firstByteMs,
      endMs: this.endMs,
      legs: ended === undefined ? [] : legsOf(ended, this.#decisions),
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
