/**
 * Numbers by labels that are known only at run time (routes, models), counted by all workers. Each worker has a region
 * that only it writes: it names a row once, by its labels, and then adds to the row's numbers. A worker that takes the
 * place of a dead one goes on with its rows, so that counters never fall.
 */

import { seriesLabelBytesMax } from "../limits.ts";

export interface SeriesSize {
  readonly workers: number;
  /** Rows of each worker. */
  readonly rows: number;
  /** Numbers of each row. */
  readonly fields: number;
}

/** Labels of one row, with its numbers summed over all workers. */
export interface Series {
  readonly labels: readonly string[];
  readonly values: Float64Array;
}

/** How many rows the worker has named, before its labels; padded so that numbers stay aligned. */
const headerBytes = 8;
/** Before each row's labels. */
const lengthBytes = 2;

function regionBytes({ rows, fields }: SeriesSize): number {
  return headerBytes + rows * seriesLabelBytesMax + rows * fields * 8;
}

export function seriesRowsLength(size: SeriesSize): number {
  return size.workers * regionBytes(size);
}

export class SeriesRows {
  /** The numbers of this worker's rows. */
  readonly values: Float64Array;
  readonly #memory: SharedArrayBuffer;
  readonly #at: number;
  readonly #size: SeriesSize;
  readonly #worker: number;
  /** Of this worker: the first field of each row. */
  readonly #known = new Map<string, number>();

  /** @param worker whose region this instance writes, from 0 */
  constructor(memory: SharedArrayBuffer, at: number, size: SeriesSize, worker: number) {
    this.#memory = memory;
    this.#at = at;
    this.#size = size;
    this.#worker = worker;
    this.values = this.#valuesOf(worker);
    for (const name of this.#namesOf(worker)) this.#known.set(name, this.#known.size * size.fields);
  }

  /** The labels of this worker's rows. */
  get known(): string[][] {
    return [...this.#known.keys()].map((name) => JSON.parse(name) as string[]);
  }

  /** @returns where the row's numbers begin in `values`; -1 = no row is left, or the labels are too long */
  open(labels: readonly string[]): number {
    const name = JSON.stringify(labels);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const row = this.#known.size;
    const bytes = Buffer.from(name);
    if (row >= this.#size.rows || bytes.length > seriesLabelBytesMax - lengthBytes) return -1;
    const at = this.#labelAt(this.#worker, row);
    const memory = Buffer.from(this.#memory);
    memory.writeUInt16LE(bytes.length, at);
    bytes.copy(memory, at + lengthBytes);
    // Who reads sees the row only now, with its labels.
    Atomics.store(this.#count(this.#worker), 0, row + 1);
    const first = row * this.#size.fields;
    this.#known.set(name, first);
    return first;
  }

  /** All rows of all workers; those with equal labels are one. */
  read(): Series[] {
    const { workers, fields } = this.#size;
    const all = new Map<string, Float64Array>();
    for (let worker = 0; worker < workers; worker += 1) {
      const values = this.#valuesOf(worker);
      this.#namesOf(worker).forEach((name, row) => {
        const sums = all.get(name) ?? new Float64Array(fields);
        for (let i = 0; i < fields; i += 1) sums[i] = sums[i]! + values[row * fields + i]!;
        all.set(name, sums);
      });
    }
    return [...all].map(([name, values]) => ({ labels: JSON.parse(name) as string[], values }));
  }

  /** Each number, summed over all rows of all workers. */
  totals(): Float64Array {
    const { workers, fields } = this.#size;
    const sums = new Float64Array(fields);
    for (let worker = 0; worker < workers; worker += 1) {
      const values = this.#valuesOf(worker);
      const length = Atomics.load(this.#count(worker), 0) * fields;
      for (let i = 0; i < length; i += 1) sums[i % fields]! += values[i]!;
    }
    return sums;
  }

  #region(worker: number): number {
    return this.#at + worker * regionBytes(this.#size);
  }

  #labelAt(worker: number, row: number): number {
    return this.#region(worker) + headerBytes + row * seriesLabelBytesMax;
  }

  #count(worker: number): Int32Array {
    return new Int32Array(this.#memory, this.#region(worker), 1);
  }

  #valuesOf(worker: number): Float64Array {
    const { rows, fields } = this.#size;
    return new Float64Array(this.#memory, this.#labelAt(worker, rows), rows * fields);
  }

  #namesOf(worker: number): string[] {
    const memory = Buffer.from(this.#memory);
    const rows = Atomics.load(this.#count(worker), 0);
    return Array.from({ length: rows }, (_, row) => {
      const at = this.#labelAt(worker, row);
      const from = at + lengthBytes;
      return memory.toString("utf8", from, from + memory.readUInt16LE(at));
    });
  }
}
