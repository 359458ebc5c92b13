/** The faults that are in force in an engine, and how often each one still strikes. */

import { type Fault, strikesRequests } from "./fault.ts";

/** The faults in force, in the order in which they were set. */
export class FaultBook {
  readonly #isInferencePath: (path: string) => boolean;
  readonly #faults: { readonly fault: Fault; left: number; readonly endsAtMs: number }[] = [];

  /** @param isInferencePath which paths a fault strikes that names none */
  constructor(isInferencePath: (path: string) => boolean) {
    this.#isInferencePath = isInferencePath;
  }

  set(fault: Fault, nowMs: number): void {
    const endsAtMs = nowMs + (fault.durationMs ?? Number.POSITIVE_INFINITY);
    this.#faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY, endsAtMs });
  }

  clear(): void {
    this.#faults.length = 0;
  }

  list(nowMs: number): Fault[] {
    this.#expire(nowMs);
    return this.#faults.map(({ fault, left }) =>
      Number.isFinite(left) ? { ...fault, times: left } : fault,
    );
  }

  /** Takes the first fault that strikes a request to this path: it counts as having struck. */
  takeForRequest(path: string): Fault | undefined {
    if (this.#faults.length === 0) return undefined;
    return this.#take((fault) => strikesRequests(fault.kind) && this.#strikes(fault, path));
  }

  takeForConnection(nowMs: number): Fault | undefined {
    this.#expire(nowMs);
    return this.#take((fault) => fault.kind === "accept-then-close");
  }

  refuses(nowMs: number): boolean {
    this.#expire(nowMs);
    return this.#faults.some(({ fault }) => fault.kind === "refuse");
  }

  /** Whether the KV of requests whose clients leave stays in use. */
  leaks(nowMs: number): boolean {
    this.#expire(nowMs);
    return this.#faults.some(({ fault }) => fault.kind === "leak");
  }

  /** By what all of the engine's work is slowed down. */
  slowdown(nowMs: number): number {
    if (this.#faults.length === 0) return 1;
    this.#expire(nowMs);
    return this.#faults.reduce(
      (product, { fault }) => (fault.kind === "slower" ? product * fault.factor : product),
      1,
    );
  }

  #take(matches: (fault: Fault) => boolean): Fault | undefined {
    const index = this.#faults.findIndex(({ fault }) => matches(fault));
    const found = this.#faults[index];
    if (found === undefined) return undefined;
    found.left--;
    if (found.left <= 0) this.#faults.splice(index, 1);
    return found.fault;
  }

  #expire(nowMs: number): void {
    for (let index = this.#faults.length - 1; index >= 0; index--) {
      if (this.#faults[index]!.endsAtMs <= nowMs) this.#faults.splice(index, 1);
    }
  }

  #strikes(fault: Fault, path: string): boolean {
    if (path.startsWith("/debug")) return false;
    if (fault.path === undefined) return this.#isInferencePath(path);
    return path.startsWith(fault.path);
  }
}
