/**
 * How many leading tokens of each queued prompt each engine has. What was looked up is kept with the prompt, and what
 * has been sent to engines since is compared with it: 15 ns for each, where a look-up takes 300. What has been evicted
 * since is found out by `check`, of the engine that the prompt is to be sent to.
 */

import type { ModelledPrefixCache } from "../../../prefix-cache/modelled-prefix-cache.ts";
import { PrefixRuns } from "../../../prefix-cache/prefix-runs.ts";
import type { ReportedPrefixCache } from "../../../prefix-cache/reported-prefix-cache.ts";
import type { QueuedPrompt } from "./queued-prompt.ts";

/** What an engine reports of its cache; undefined = it is not known so well. */
export type ReportedOf = (engine: number) => ReportedPrefixCache | undefined;

/** Changes that are remembered, a power of two. Who has seen none of so many looks all engines up. */
const changesKept = 64;
/** Arrays that are kept for prompts to come. */
const sparesMax = 1_024;

export class PrefixHits {
  readonly #engines: number;
  readonly #reportedOf: ReportedOf;
  readonly #runs: PrefixRuns;
  /**
   * Prompts that each engine computes now: what comes next will find them there, though the engines have not reported
   * them yet.
   */
  readonly #computing: QueuedPrompt[][];
  /** Of each engine's exact cache when it was last looked at; −1 = it had none. */
  readonly #versions: Float64Array;
  /**
   * Engines whose caches have changed, in turn, and what has come into them: undefined = they are to be looked up; and
   * how many there were.
   */
  readonly #changed = new Int32Array(changesKept);
  readonly #added = new Array<readonly number[] | undefined>(changesKept).fill(undefined);
  #changes = 0;
  readonly #spares: Int32Array[] = [];

  constructor(engines: number, blocksMax: number, reportedOf: ReportedOf) {
    this.#engines = engines;
    this.#reportedOf = reportedOf;
    this.#runs = new PrefixRuns(engines, blocksMax);
    this.#computing = Array.from({ length: engines }, () => []);
    this.#versions = new Float64Array(engines).fill(-1);
  }

  adopt(engine: number, other: PrefixHits, from: number): void {
    this.#modelled(engine).copy(other.#modelled(from));
    this.#note(engine, undefined);
  }

  /** Nothing of what was sent to the engine is there any more. */
  forget(engine: number): void {
    this.#modelled(engine).clear();
    this.#note(engine, undefined);
  }

  /** Blocks of what was sent to the engine that are believed to be there. */
  size(engine: number): number {
    return this.#modelled(engine).size;
  }

  /** The engine computes it from now on. */
  sent(queued: QueuedPrompt, engine: number): void {
    this.#computing[engine]!.push(queued);
    queued.blocksBefore = this.#modelled(engine).leadingBlocks(queued.prompt.blocks);
    this.#modelled(engine).insert(queued.prompt.blocks);
    this.#note(engine, queued.prompt.blocks);
  }

  /** It has not computed it: it has failed, or is not wanted any more. */
  dropped(queued: QueuedPrompt, engine: number): void {
    this.#modelled(engine).takeBack(queued.prompt.blocks, queued.blocksBefore);
    this.#ended(queued, engine);
    this.#note(engine, undefined);
  }

  /**
   * It has computed it.
   * @param reportedBlocks that it had of it before, as it reports; undefined = it does not report that
   */
  computed(queued: QueuedPrompt, engine: number, reportedBlocks: number | undefined): void {
    const modelled = this.#modelled(engine);
    if (reportedBlocks !== undefined && queued.believedBlocks >= 0) {
      modelled.applyDiscovered(queued.believedBlocks, reportedBlocks);
    }
    modelled.insert(queued.prompt.blocks);
    this.#ended(queued, engine);
  }

  /** Before prompts are looked at: engines may have reported changes. */
  checkReported(engine: number): void {
    const version = this.#reportedOf(engine)?.version ?? -1;
    if (this.#versions[engine] === version) return;
    this.#versions[engine] = version;
    this.#note(engine, undefined);
  }

  /** Tokens, by the engines' numbers; at least what the last of them is computed anew for. */
  of(queued: QueuedPrompt): Int32Array {
    if (queued.hits === undefined) {
      queued.hits = this.#spares.pop() ?? new Int32Array(this.#engines);
      this.#findAll(queued, queued.hits);
    } else if (this.#changes - queued.hitsAt >= changesKept) this.#findAll(queued, queued.hits);
    else {
      const { blocks, blockTokens } = queued.prompt;
      for (let i = queued.hitsAt; i < this.#changes; i += 1) {
        const engine = this.#changed[i & (changesKept - 1)]!;
        const added = this.#added[i & (changesKept - 1)];
        if (added === undefined) queued.hits[engine] = this.#find(queued, engine);
        else {
          const tokens = sharedBlocks(blocks, added) * blockTokens;
          if (tokens > queued.hits[engine]!) queued.hits[engine] = tokens;
        }
      }
    }
    queued.hitsAt = this.#changes;
    return queued.hits;
  }

  /** Looks the engine up again; whether it has less than was believed. */
  check(queued: QueuedPrompt, engine: number): boolean {
    const hits = this.of(queued);
    const believed = hits[engine]!;
    hits[engine] = this.#find(queued, engine);
    return hits[engine]! < believed;
  }

  /** What the model of the engine's cache says of it; -1 = the engine's own word counted. */
  believedBlocks(queued: QueuedPrompt, engine: number): number {
    if (this.#exact(queued, engine) !== undefined) return -1;
    return Math.round(this.of(queued)[engine]! / queued.prompt.blockTokens);
  }

  /** It is looked at no more. */
  release(queued: QueuedPrompt): void {
    if (queued.hits !== undefined && this.#spares.length < sparesMax)
      this.#spares.push(queued.hits);
    queued.hits = undefined;
  }

  #ended(queued: QueuedPrompt, engine: number): void {
    const computing = this.#computing[engine]!;
    const at = computing.indexOf(queued);
    if (at >= 0) computing.splice(at, 1);
  }

  #note(engine: number, added: readonly number[] | undefined): void {
    this.#changed[this.#changes & (changesKept - 1)] = engine;
    this.#added[this.#changes & (changesKept - 1)] = added;
    this.#changes += 1;
  }

  #findAll(queued: QueuedPrompt, hits: Int32Array): void {
    const { blocks, blockTokens, keys } = queued.prompt;
    const runs = this.#runs.of(blocks);
    for (let engine = 0; engine < this.#engines; engine += 1) {
      hits[engine] = runs[engine]! * blockTokens;
    }
    if (keys === undefined) return;
    for (let engine = 0; engine < this.#engines; engine += 1) {
      if (this.#reportedOf(engine) !== undefined) hits[engine] = this.#find(queued, engine);
    }
  }

  #find(queued: QueuedPrompt, engine: number): number {
    const { blocks, blockTokens, keys } = queued.prompt;
    const exact = this.#exact(queued, engine);
    if (exact === undefined) return this.#modelled(engine).leadingBlocks(blocks) * blockTokens;
    return Math.max(exact.leadingTokens(keys!), this.#beingComputed(blocks, engine) * blockTokens);
  }

  #exact({ prompt }: QueuedPrompt, engine: number): ReportedPrefixCache | undefined {
    return prompt.keys === undefined ? undefined : this.#reportedOf(engine);
  }

  /** Leading blocks of a prompt that the engine computes now. */
  #beingComputed(blocks: readonly number[], engine: number): number {
    let most = 0;
    for (const { prompt } of this.#computing[engine]!) {
      most = Math.max(most, sharedBlocks(blocks, prompt.blocks));
    }
    return most;
  }

  #modelled(engine: number): ModelledPrefixCache {
    return this.#runs.modelled[engine]!;
  }
}

/** How many blocks two prompts begin alike with. Blocks are chained: an equal one means that all before it are. */
function sharedBlocks(one: readonly number[], other: readonly number[]): number {
  let run = 0;
  let beyond = Math.min(one.length, other.length) + 1;
  while (beyond - run > 1) {
    const middle = (run + beyond) >>> 1;
    if (one[middle - 1] === other[middle - 1]) run = middle;
    else beyond = middle;
  }
  return run;
}
