/** Holds retries to their budget: none is counted where there is no room, and what is counted is given back. */
import { expect } from "vitest";
import { RetryBudget } from "../../../src/proxy/context/retry-budget.ts";

/** Those through which a request has gone since `forgetBudgets`. */
const used = new Set<RetryBudget>();
const { enter, leave, take, giveBack } = RetryBudget.prototype;

RetryBudget.prototype.enter = function (this: RetryBudget) {
  used.add(this);
  enter.call(this);
};
RetryBudget.prototype.leave = function (this: RetryBudget) {
  leave.call(this);
  if (this.inFlight < this.retried) throw new Error(`${this.retried} of ${this.inFlight} retried`);
};
RetryBudget.prototype.take = function (this: RetryBudget) {
  if (!this.hasRoom) throw new Error(`one retry too many: ${this.retried} of ${this.inFlight}`);
  take.call(this);
};
RetryBudget.prototype.giveBack = function (this: RetryBudget) {
  giveBack.call(this);
  if (this.retried < 0) throw new Error("a retry is given back twice");
};

export function forgetBudgets(): void {
  used.clear();
}

export function expectBudgetsFree(): void {
  for (const { inFlight, retried } of used) {
    if (inFlight !== 0 || retried !== 0)
      expect({ inFlight, retried }).toEqual({ inFlight: 0, retried: 0 });
  }
}
