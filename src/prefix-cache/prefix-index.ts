/**
 * Which engine has which prefix in its cache, for policies that place prompts at once: by what all workers have sent
 * there, and by the engines' own word where they tell.
 */

import { JournalReader, type PrefixJournal } from "../scoreboard/prefix-journal.ts";
import { PrefixRuns } from "./prefix-runs.ts";
import { type EngineActivity, RecentSends } from "./recent-sends.ts";

/** What the index needs to know of a request. A `PickRequest` is one. */
export interface PrefixRequest {
  /** Hashes of the prompt's blocks, each of the whole prefix up to its end. */
  readonly blocks: readonly number[];
  /** How many of the blocks each engine reports, by its index; below 0 = it does not report. */
  readonly reported?: ArrayLike<number> | undefined;
  readonly clock: { wallMs(): number };
}

/** What the index needs to know of a pool. A `PoolView` is one. */
export interface PrefixPool {
  readonly size: number;
  /** The scoreboard slot of each engine. */
  readonly slots: ArrayLike<number>;
  readonly board: EngineActivity & { readonly prefixes: PrefixJournal };
}

export class PrefixIndex {
  readonly #believed: PrefixRuns;
  readonly #slots: ArrayLike<number>;
  readonly #journal: PrefixJournal;
  readonly #reader: JournalReader;
  readonly #numbers: ReadonlyMap<number, number>;
  /** Of each engine, the life whose prompts are in the model of its cache. */
  readonly #lives: Int32Array;
  #livesBegun: number;
  readonly #pool: PrefixPool;
  /** Where engines tell what they have; and the time when one was last asked about, in ms since the epoch. */
  #recent: RecentSends | undefined;
  #askedMs = 0;

  constructor(pool: PrefixPool, blocksMax?: number) {
    const { size, slots, board } = pool;
    this.#pool = pool;
    this.#believed = new PrefixRuns(size, blocksMax);
    this.#slots = slots;
    this.#numbers = new Map(Array.from(slots, (slot, number) => [slot, number]));
    this.#journal = board.prefixes;
    this.#livesBegun = this.#journal.livesBegun;
    this.#lives = Int32Array.from(slots, (slot) => this.#journal.lifeOf(slot));
    this.#reader = new JournalReader(this.#journal, this.#heard);
  }

  /** What another worker has sent somewhere, or this one before a reload. */
  readonly #heard = (slot: number, blocks: readonly number[]): void => {
    const engine = this.#numbers.get(slot);
    if (engine !== undefined) this.#insert(engine, blocks);
  };

  /** Blocks that the engine is believed to have. */
  size(engine: number): number {
    return this.#believed.modelled[engine]!.size;
  }

  /** How many of the prompt's blocks, from its start, the engine has: by its own word, or else as is believed. */
  leadingBlocks(engine: number, request: PrefixRequest): number {
    this.#catchUp(request);
    return this.#known(
      engine,
      request,
      this.#believed.modelled[engine]!.leadingBlocks(request.blocks),
    );
  }

  /** The same for every engine, by its number. Reused by the next call. */
  runs(request: PrefixRequest): Int32Array {
    this.#catchUp(request);
    const runs = this.#believed.of(request.blocks);
    if (request.reported !== undefined) {
      for (let engine = 0; engine < runs.length; engine += 1) {
        runs[engine] = this.#known(engine, request, runs[engine]!);
      }
    }
    return runs;
  }

  /** What an engine tells counts, and what it cannot tell yet. @param believed by what was ever sent there */
  #known(engine: number, { blocks, reported }: PrefixRequest, believed: number): number {
    const reportedBlocks = reported?.[engine] ?? -1;
    if (reportedBlocks < 0) return believed;
    if (reportedBlocks >= believed) return reportedBlocks;
    return Math.max(reportedBlocks, this.#recent!.leadingBlocks(engine, blocks, this.#askedMs));
  }

  /** Hears what others have sent, and which engines were started anew. */
  #catchUp({ reported, clock }: PrefixRequest): void {
    if (reported !== undefined) {
      this.#recent ??= new RecentSends(this.#pool);
      this.#askedMs = clock.wallMs();
    }
    const { livesBegun } = this.#journal;
    if (livesBegun !== this.#livesBegun) {
      this.#livesBegun = livesBegun;
      this.#lives.forEach((life, engine) => {
        const now = this.#journal.lifeOf(this.#slots[engine]!);
        if (now === life) return;
        this.#lives[engine] = now;
        this.#believed.modelled[engine]!.clear();
        this.#recent?.clear(engine);
      });
    }
    this.#reader.read(this.#heard);
  }

  /** The engine has computed this prompt. */
  insert(engine: number, blocks: readonly number[]): void {
    this.#insert(engine, blocks);
    this.#journal.append(this.#slots[engine]!, blocks);
  }

  #insert(engine: number, blocks: readonly number[]): void {
    this.#believed.modelled[engine]!.insert(blocks);
    this.#recent?.insert(engine, blocks, this.#askedMs);
  }

  /** What the engine reports of a prompt, against what was believed: how its cache's size is learned. */
  applyDiscovered(engine: number, believedBlocks: number, reportedBlocks: number): void {
    this.#believed.modelled[engine]!.applyDiscovered(believedBlocks, reportedBlocks);
  }
}

/** Bytes of a request's prompt behind a run of its blocks, of one token at least; whole, so that sums stay exact. */
export function uncachedBytes(
  { bytes, tokens, blocks }: Pick<PrefixRequest, "blocks"> & { bytes: number; tokens: number },
  run: number,
): number {
  if (blocks.length === 0 || run === 0) return bytes;
  const least = tokens < 1 ? 0 : Math.ceil(bytes / tokens);
  return Math.max(least, Math.round(bytes * (1 - run / blocks.length)));
}
