/**
 * A policy of an operator behind a guard: what it returns is checked, and its first fault replaces it by `least_conn`
 * for good, with one message. Requests are placed all the same, and a wrong number never reaches the scoreboard.
 */
import { messageOf } from "./custom-policy.ts";
import { leastConn } from "./least-conn.ts";
import type { Candidates, PickRequest, Policy, PolicyDeps } from "./shared/policy.ts";

export class GuardedPolicy implements Policy {
  readonly #fallback: Policy;
  readonly #onFault: (message: string) => void;
  /** Undefined = it has failed. */
  #policy: Policy | undefined;

  /** @param onFault called once, with what it did */
  constructor(create: () => Policy, deps: PolicyDeps, onFault: (message: string) => void) {
    this.#fallback = leastConn.create(deps, {});
    this.#onFault = onFault;
    try {
      const policy = create();
      if (typeof policy?.pick !== "function") throw new TypeError("create returns no policy");
      this.#policy = policy;
    } catch (error) {
      this.#fail(error);
    }
  }

  pick(candidates: Candidates, request: PickRequest): number {
    const policy = this.#policy;
    if (policy === undefined) return this.#fallback.pick(candidates, request);
    try {
      const engine = policy.pick(candidates, request);
      if (Number.isInteger(engine) && candidates.has(engine)) return engine;
      swallow(engine);
      throw new RangeError(`pick returned ${describe(engine)}, which is no candidate`);
    } catch (error) {
      this.#fail(error);
      return this.#fallback.pick(candidates, request);
    }
  }

  score(engine: number, request: PickRequest): number {
    try {
      return this.#policy?.score?.(engine, request) ?? Number.NaN;
    } catch (error) {
      this.#fail(error);
      return Number.NaN;
    }
  }

  uncachedBytes(engine: number, request: PickRequest): number {
    const { bytes } = request;
    try {
      const uncached = this.#policy?.uncachedBytes?.(engine, request) ?? bytes;
      if (Number.isInteger(uncached) && uncached >= 0 && uncached <= bytes) return uncached;
      swallow(uncached);
      throw new RangeError(
        `uncachedBytes returned ${describe(uncached)}, not a whole number from 0 to ${bytes}`,
      );
    } catch (error) {
      this.#fail(error);
      return bytes;
    }
  }

  assigned(engine: number, request: PickRequest): void {
    try {
      swallow(this.#policy?.assigned?.(engine, request));
    } catch (error) {
      this.#fail(error);
    }
  }

  responseStarted(engine: number): void {
    try {
      swallow(this.#policy?.responseStarted?.(engine));
    } catch (error) {
      this.#fail(error);
    }
  }

  ended(engine: number, bytes: number): void {
    try {
      swallow(this.#policy?.ended?.(engine, bytes));
    } catch (error) {
      this.#fail(error);
    }
  }

  failed(engine: number, maxFails: number): void {
    try {
      swallow(this.#policy?.failed?.(engine, maxFails));
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#policy = undefined;
    this.#onFault(messageOf(error));
  }
}

/** A method that was written as `async` returns a promise; its rejection must not end the worker. */
function swallow(result: unknown): void {
  if (result instanceof Promise) result.catch(() => {});
}

function describe(value: unknown): string {
  return value instanceof Promise ? "a promise" : String(value);
}
