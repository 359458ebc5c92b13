/**
 * Feeds a parser with damaged input: what stands in its corpus, changed at random from a seed. Whatever fails is printed
 * with the seed and the input, so that it can be replayed, and kept in the corpus once it is mended.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { randomOf } from "../http1/mutations.ts";

export type Random = () => number;

export interface Target {
  /** Also its folder in the corpus. */
  readonly name: string;
  /** What its input is made of: inserted whole, so that damage goes deeper than the first byte. */
  readonly words: readonly (string | Buffer)[];
  /** Throws if anything is wrong with what the parser makes of the input. */
  check(input: Buffer, random: Random): void;
}

export interface Kept {
  readonly name: string;
  readonly bytes: Buffer;
}

export function corpusOf({ name }: Pick<Target, "name">): Kept[] {
  const folder = join(import.meta.dirname, "corpus", name);
  const files = readdirSync(folder).sort();
  return files.map((file) => ({ name: file, bytes: readFileSync(join(folder, file)) }));
}

export interface Budget {
  readonly seed: number;
  /** Whichever is reached first. */
  readonly inputs: number;
  readonly untilMs: number;
}

/** @returns how many inputs there were */
export function fuzz(target: Target, budget: Budget, nowMs: () => number): number {
  const corpus = corpusOf(target).map(({ bytes }) => bytes);
  const words = target.words.map((word) => Buffer.from(word as string, "latin1"));
  let count = 0;
  for (; count < budget.inputs && nowMs() < budget.untilMs; count += 1) {
    // An input depends on the seed and its number alone, so one that fails is found again without those before it.
    const random = randomOf(budget.seed + count);
    run(target, mutated(corpus, words, random), budget.seed + count);
  }
  return count;
}

/** Checks one input. @param seed for what is random in the check itself */
export function run(target: Target, input: Buffer, seed: number): void {
  try {
    target.check(input, randomOf(seed ^ 0x5eed));
  } catch (error) {
    const base64 = input.toString("base64");
    const replay = `npm run test:fuzz -- --target ${target.name} --seed ${seed} --input ${base64}`;
    const shown = JSON.stringify(input.toString("latin1").slice(0, 2_000));
    const message = `${target.name} fails with seed ${seed} on ${shown}\nreplay: ${replay}`;
    throw new Error(message, { cause: error });
  }
}

function mutated(corpus: readonly Buffer[], words: readonly Buffer[], random: Random): Buffer {
  const pick = (size: number) => Math.floor(random() * size);
  let bytes = corpus[pick(corpus.length)]!;
  for (let rounds = 1 + pick(5); rounds > 0; rounds -= 1) {
    const at = pick(bytes.length + 1);
    const end = Math.min(bytes.length, at + 1 + pick(random() < 0.8 ? 8 : 200));
    const [before, cut, after] = [
      bytes.subarray(0, at),
      bytes.subarray(at, end),
      bytes.subarray(end),
    ];
    switch (pick(7)) {
      case 0:
        bytes = Buffer.concat([before, words[pick(words.length)]!, cut, after]);
        break;
      case 1:
        bytes = Buffer.concat([before, words[pick(words.length)]!, after]);
        break;
      case 2:
        bytes = Buffer.concat([before, after]);
        break;
      case 3:
        bytes = Buffer.concat([before, cut, cut, after]);
        break;
      case 4:
        bytes = Buffer.concat([before, Buffer.from([pick(256)]), cut.subarray(1), after]);
        break;
      case 5:
        bytes = before;
        break;
      default: {
        const other = corpus[pick(corpus.length)]!;
        bytes = Buffer.concat([before, other.subarray(pick(other.length + 1))]);
      }
    }
  }
  return bytes;
}

/** The same bytes in parts, as a network may bring them. */
export function parts(input: Buffer, random: Random): Buffer[] {
  const all: Buffer[] = [];
  for (let at = 0; at < input.length; ) {
    const end = Math.min(input.length, at + 1 + Math.floor(random() * (random() < 0.5 ? 3 : 40)));
    all.push(input.subarray(at, end));
    at = end;
  }
  return all;
}
