/**
 * Follows the KV events of one engine, without I/O: batches are numbered from 0 or 1 at the engine's start, so one that
 * is missing is noticed, and asked for again; one with a lower number is of an engine that was started anew.
 *
 * What is known is exact while all of the engine's history is: from its start, from a batch after which it had nothing,
 * or from replays without a gap. Else nothing is claimed.
 */
import { kvPendingBytesMax } from "../limits.ts";
import { ReportedPrefixCache } from "../prefix-cache/reported-prefix-cache.ts";
import { readKvBatch } from "./batch.ts";

export interface FollowerActions {
  /**
   * Asks for all batches from this number on; false = the engine cannot be asked. Answered by `replayed` and
   * `replayEnded`.
   */
  replay(from: number): boolean;
  /** The engine is another one than before, or it may be: nothing of what it had is there. */
  restarted(): void;
  /** Half a sentence says why what the engine has is not known any more. */
  lostTrack(why: string): void;
}

interface Waiting {
  readonly seq: number;
  readonly payload: Buffer;
}

/** What a replay is for: all that there was; the batches of a gap; or whether this is still the engine of before. */
type Replay = "all" | "gap" | "check";

const seqBytes = 8;

export class KvFollower {
  readonly cache = new ReportedPrefixCache();
  readonly #actions: FollowerActions;
  #isConnected = false;
  /** All of the engine's history is in the cache. */
  #isWhole = false;
  /** What is missing might be had by asking again, later. */
  #mayAsk = false;
  /** Number of the batch that is to come; -1 = not known. */
  #next = -1;
  /**
   * vLLM counts batches from 0, llm-d-inference-sim from 1. So batch 1 is the first one of an engine of which no batch
   * 0 was ever heard. If there was one, and it is lost, what it stored is not claimed.
   */
  #firstSeqMax = 1;
  /** Of the last batch. */
  #lastTs = Number.NaN;
  #replay: Replay | undefined;
  /** The first batch of a replay is still to come. */
  #isFirst = false;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;

  constructor(actions: FollowerActions) {
    this.#actions = actions;
  }

  /** What the cache says is what the engine has. */
  get isExact(): boolean {
    return this.#isConnected && this.#isWhole && this.#replay === undefined;
  }

  /** All history is not known, but might be asked for. */
  get isBehind(): boolean {
    return this.#isConnected && !this.#isWhole && this.#replay === undefined && this.#mayAsk;
  }

  connected(): void {
    this.#isConnected = true;
    this.#mayAsk = true;
    if (this.#isWhole && this.#next > 0) this.#ask("check", this.#next - 1);
    else this.catchUp();
  }

  lost(): void {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.#stopReplay();
    this.#actions.restarted();
  }

  /** Asks for all that there was, since it is not known. */
  catchUp(): void {
    this.#forget();
    this.#ask("all", 0);
  }

  /** @param parts topic, number, batch */
  published(parts: readonly Buffer[]): void {
    const [, number, payload] = parts;
    const seq = this.#heard(number);
    if (parts.length !== 3 || seq < 0) this.#lose("a message is no batch with a number");
    else if (this.#replay === undefined) this.#live(seq, payload!);
    else this.#keep(seq, payload!);
  }

  /**
   * @param parts as a ROUTER says them to a DEALER: empty, topic, number, batch; without the topic up to vLLM 0.25
   *   (`vllm/distributed/kv_events.py`)
   */
  replayed(parts: readonly Buffer[]): void {
    const [number, payload] = parts.slice(-2);
    if (this.#replay === undefined) return;
    if (parts.length < 3 || parts.length > 4 || number?.length !== seqBytes) {
      this.replayEnded("it is no replay");
      return;
    }
    const seq = this.#heard(number);
    if (seq < 0) this.replayEnded(undefined);
    else this.#again(seq, payload!);
  }

  /** @param why it failed, as half a sentence; undefined = all has come that there is */
  replayEnded(why: string | undefined): void {
    const replay = this.#replay;
    if (replay === undefined) return;
    // Whoever has nothing to say has been started anew, or has published nothing yet.
    const isSilent = this.#isFirst;
    if (replay === "check" && isSilent) {
      this.#another();
      return;
    }
    this.#replay = undefined;
    if (why !== undefined) {
      this.#lose();
      this.#actions.lostTrack(`batches cannot be had again: ${why}`);
    } else if (replay === "all" && isSilent) this.#begin();
    else if (replay === "gap" && isSilent) this.#lose("batches are missing that it has no more");
    this.#drain();
  }

  /** The number of a batch, as `seqOf` reads it. It shows from where the engine counts, also if the batch is lost. */
  #heard(number: Buffer | undefined): number {
    const seq = seqOf(number);
    if (seq === 0) this.#firstSeqMax = 0;
    return seq;
  }

  #live(seq: number, payload: Buffer): void {
    if (this.#next < 0) this.#startAt(seq);
    if (seq < this.#next) {
      this.#forget();
      this.#actions.restarted();
      if (seq > 0 && this.#askAndKeep("all", 0, seq, payload)) return;
      if (seq <= this.#firstSeqMax) this.#begin();
      this.#next = seq;
    } else if (seq > this.#next) {
      if (this.#isWhole && this.#askAndKeep("gap", this.#next, seq, payload)) return;
      this.#lose(`batches ${this.#next} to ${seq - 1} are missing`);
      this.#next = seq;
    }
    this.#apply(seq, payload);
  }

  #again(seq: number, payload: Buffer): void {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (isFirst && this.#replay === "check") {
      const batch = readKvBatch(payload);
      const isSame =
        seq === this.#next - 1 && typeof batch !== "string" && batch.ts === this.#lastTs;
      if (!isSame) this.#another();
      return;
    }
    if (isFirst && this.#replay === "all") this.#startAt(seq);
    // It has had nothing before, and counts from 1.
    if (isFirst && this.#next === 0 && seq <= this.#firstSeqMax) this.#next = seq;
    if (seq !== this.#next) {
      this.#replay = undefined;
      this.#lose(`batch ${this.#next} cannot be had again`);
      this.#drain();
      return;
    }
    this.#apply(seq, payload);
  }

  /** What came meanwhile, but for what was replayed. */
  #drain(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const { seq, payload } of waiting) {
      if (this.#replay !== undefined) this.#keep(seq, payload);
      else if (seq >= this.#next) this.#live(seq, payload);
    }
  }

  #apply(seq: number, payload: Buffer): void {
    const batch = readKvBatch(payload);
    this.#next = seq + 1;
    if (typeof batch === "string") {
      this.#cannotFollow(batch);
      return;
    }
    this.#lastTs = batch.ts;
    for (const event of batch.events) {
      // From here on all is known, whatever was before.
      if (event.type === "cleared" && !this.#isWhole) {
        this.cache.clear();
        this.#isWhole = true;
      }
      if (!this.#isWhole) continue;
      const why = this.cache.apply(event);
      if (why !== undefined) this.#cannotFollow(why);
    }
  }

  #startAt(seq: number): void {
    if (seq <= this.#firstSeqMax) this.#begin();
    else this.#joinAt(seq);
    this.#next = seq;
  }

  /** The batches before cannot be had. From here on it is followed, in case that it clears its cache. */
  #joinAt(seq: number): void {
    this.#mayAsk = false;
    this.#actions.lostTrack(`what it had before its batch ${seq} cannot be had`);
  }

  /** To ask again would bring the same again. */
  #cannotFollow(why: string): void {
    this.#mayAsk = false;
    this.#lose(why);
  }

  /** The engine has nothing, and its first batch is to come. */
  #begin(): void {
    this.cache.clear();
    this.#isWhole = true;
    this.#next = 0;
  }

  /** It is not the engine of before, or it cannot say so. */
  #another(): void {
    this.#forget();
    this.#actions.restarted();
    this.#replay = undefined;
    const { length } = this.#waiting;
    if (!this.#ask("all", 0) && length > 0) this.#drain();
  }

  #forget(): void {
    this.cache.clear();
    this.#isWhole = false;
    this.#next = -1;
  }

  /** @param why is called if anything was known */
  #lose(why?: string): void {
    const wasWhole = this.#isWhole;
    this.cache.clear();
    this.#isWhole = false;
    if (wasWhole && why !== undefined) this.#actions.lostTrack(why);
  }

  #ask(replay: Replay, from: number): boolean {
    this.#replay = replay;
    this.#isFirst = true;
    if (this.#actions.replay(from)) return true;
    this.#replay = undefined;
    // Nothing shows whether it is still the same engine.
    if (replay === "check") this.#forget();
    return false;
  }

  #askAndKeep(replay: Replay, from: number, seq: number, payload: Buffer): boolean {
    const isAsked = this.#ask(replay, from);
    if (isAsked) this.#keep(seq, payload);
    return isAsked;
  }

  #keep(seq: number, payload: Buffer): void {
    this.#waiting.push({ seq, payload });
    // An object and a Buffer are about as much, beside their bytes.
    this.#waitingBytes += payload.length + 200;
    if (this.#waitingBytes <= kvPendingBytesMax) return;
    this.#stopReplay();
    this.#lose("more came during a replay than is kept");
    this.#next = seq + 1;
  }

  #stopReplay(): void {
    this.#replay = undefined;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}

/** -1 = it is none, or says the end. */
function seqOf(bytes: Buffer | undefined): number {
  if (bytes?.length !== seqBytes) return -1;
  const seq = bytes.readBigInt64BE();
  return seq > BigInt(Number.MAX_SAFE_INTEGER) ? -1 : Number(seq);
}
