/** Virtual time: tasks in the order of their times, and of being added where those are equal. A binary heap. */

interface Task {
  readonly atMs: number;
  readonly serial: number;
  readonly run: () => void;
}

export class Timeline {
  nowMs = 0;
  readonly #heap: Task[] = [];
  #serial = 0;

  /** As a clock of the wall, for what goes by one. */
  wallMs(): number {
    return this.nowMs;
  }

  at(atMs: number, run: () => void): void {
    const heap = this.#heap;
    const task = { atMs: Math.max(atMs, this.nowMs), serial: this.#serial++, run };
    let i = heap.length;
    heap.push(task);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(task, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = task;
  }

  /** Runs all tasks, also those that tasks add. */
  run(): void {
    for (let task = this.#pop(); task !== undefined; task = this.#pop()) {
      this.nowMs = task.atMs;
      task.run();
    }
  }

  #pop(): Task | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.serial < b.serial);
}
