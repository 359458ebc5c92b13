/**
 * What workers tell each other of prompts: torn or mistaken records would have prompts sent to engines that never saw
 * them.
 */
import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  JournalReader,
  PrefixJournal,
  prefixJournalLength,
} from "../../src/scoreboard/prefix-journal.ts";

const size = { workers: 2, slots: 8 };
const ringNumbers = 1 << 16;

function journals(memory = new SharedArrayBuffer(prefixJournalLength(size.workers, size.slots))) {
  const of = (worker: number) => new PrefixJournal(memory, 0, size, worker);
  return { memory, writer: of(0), reader: of(1) };
}

/** Blocks that say which record they are of. */
const record = (n: number, count: number) => Array.from({ length: count }, (_, i) => n * 4096 + i);

/** What was heard, by record; a record that is not whole is no number. */
function heardBy(reader: { read(visit: (slot: number, blocks: readonly number[]) => void): void }) {
  const heard: number[] = [];
  reader.read((slot, blocks) => {
    const n = Math.floor(blocks[0]! / 4096);
    const isWhole = slot === n % size.slots && blocks.every((block, i) => block === n * 4096 + i);
    heard.push(isWhole ? n : Number.NaN);
  });
  return heard;
}

describe.each([
  ["at its start", 0],
  ["where counters turn negative", 2 ** 31 - 40_000],
  ["where counters turn zero", -40_000],
])("a journal %s", (_, start) => {
  function startedAt() {
    const { memory, writer, reader } = journals();
    const heads = size.workers * ringNumbers * 8;
    new Int32Array(memory, heads, size.workers * 4).fill(start);
    return { writer, reader };
  }

  /** What a reader hears of records of these lengths, when it reads after so many, and at the end. */
  function heardOf(lengths: readonly number[], each: number) {
    const { writer, reader } = startedAt();
    const journal = new JournalReader(reader, () => {});
    const heard: number[] = [];
    lengths.forEach((length, n) => {
      writer.append(n % size.slots, record(n, length));
      if (n % each === 0) heard.push(...heardBy(journal));
    });
    heard.push(...heardBy(journal));
    return { reader, heard };
  }

  it("tells a reader that keeps up of each record, once and in order", () => {
    const counts = fc.array(fc.integer({ min: 1, max: 2_048 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 15 }), (lengths, each) => {
        const { heard } = heardOf(lengths, each);
        expect(heard).toEqual(lengths.map((_, n) => n));
      }),
      { numRuns: 40 },
    );
  });

  it("tells one that is late of whole records, up to the last, in order", () => {
    const counts = fc.array(fc.integer({ min: 1, max: 2_048 }), { minLength: 60, maxLength: 400 });
    fc.assert(
      fc.property(counts, fc.integer({ min: 50, max: 150 }), (lengths, each) => {
        const { reader, heard } = heardOf(lengths, each);
        expect(heard.at(-1)).toBe(lengths.length - 1);
        expect(heard).toEqual([...new Set(heard)].sort((a, b) => a - b));
        // One that begins now hears of at least a third of what fits.
        const numbers = heardBy({ read: (visit) => void new JournalReader(reader, visit) })
          .map((n) => lengths[n]! + 1)
          .reduce((sum, count) => sum + count, 0);
        const all = lengths.reduce((sum, count) => sum + count + 1, 0);
        expect(numbers).toBeGreaterThan(Math.min(all - 1, ringNumbers / 3));
      }),
      { numRuns: 40 },
    );
  });
});

it("tells nothing of an engine whose slot is another's now", () => {
  const { writer, reader } = journals();
  const journal = new JournalReader(reader, () => {});
  writer.append(1, record(1, 3));
  writer.append(2, record(2, 3));
  reader.clearSlot(1);
  writer.append(1, record(9, 3));
  expect(heardBy(journal)).toEqual([2, 9]);
});

// Worker threads run what is built: not every Node that is supported reads TypeScript. Needs `npm run build`.
const built = new URL("../../dist/scoreboard/prefix-journal.js", import.meta.url);
const script = `
  const { parentPort, workerData } = require("node:worker_threads");
  import(workerData.built).then(({ PrefixJournal }) => {
    const { memory, size, records } = workerData;
    const journal = new PrefixJournal(memory, 0, size, 0);
    for (let n = 0; n < records; n += 1) {
      const count = 1 + ((n * 7919) % 500);
      journal.append(n % size.slots, Array.from({ length: count }, (_, i) => n * 4096 + i));
    }
    parentPort.postMessage("done");
  });
`;

it("tells of whole records alone while another thread writes over them", async () => {
  if (!existsSync(built)) throw new Error("dist is missing: run `npm run build`");
  const { memory, reader } = journals();
  const records = 30_000;
  const workerData = { built: built.href, memory, size, records };
  const thread = new Worker(script, { eval: true, workerData });
  let isDone = false;
  const ended = new Promise<void>((resolve, reject) => {
    thread.once("message", () => {
      isDone = true;
      resolve();
    });
    thread.once("error", reject);
  });
  const journal = new JournalReader(reader, () => {});
  const heard: number[] = [];
  while (!isDone) {
    heard.push(...heardBy(journal));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  heard.push(...heardBy(journal));
  expect(heard.filter(Number.isNaN)).toEqual([]);
  expect(heard.at(-1)).toBe(records - 1);
  expect(heard.every((n, i) => i === 0 || n > heard[i - 1]!)).toBe(true);
});
