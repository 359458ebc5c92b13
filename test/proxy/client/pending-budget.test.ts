/** Clients that do not read must not fill the memory, however many there are, and must not slow those that do. */
import { beforeEach, expect, test } from "vitest";
import { relayPendingBytesMax, relayPendingTotalBytesMax } from "../../../src/limits.ts";
import { PendingBudget, PendingShare } from "../../../src/proxy/client/pending-budget.ts";

const total = relayPendingTotalBytesMax;
let tasks: (() => void)[] = [];
let releasedBytes = 0;
let givenUp: string[] = [];
let budget: PendingBudget;

beforeEach(() => {
  tasks = [];
  releasedBytes = 0;
  givenUp = [];
  budget = new PendingBudget({
    released: (bytes) => {
      releasedBytes += bytes;
    },
    defer: (task) => tasks.push(task),
  });
});

function client(name: string): PendingShare {
  const share: PendingShare = new PendingShare(budget, () => {
    givenUp.push(name);
    share.set(0);
  });
  return share;
}

test("a few slow clients may have all that one may have", () => {
  client("a").set(total / 4);
  expect(budget.perClientMax).toBe(relayPendingBytesMax);
});

test("the more wait for all, the less may wait for each", () => {
  const one = client("a");
  one.set((total * 3) / 8);
  expect(budget.perClientMax).toBe(relayPendingBytesMax / 2);
  one.set(total / 2);
  expect(budget.perClientMax).toBe(0);
  one.set(total);
  expect(budget.perClientMax).toBe(0);
  one.set(0);
  expect(budget.perClientMax).toBe(relayPendingBytesMax);
  expect(releasedBytes).toBe(total);
});

test("above the total those are given up that have been behind for the longest time", () => {
  const [first, second, third] = [client("first"), client("second"), client("third")];
  first.set(10);
  second.set(total / 2);
  third.set(total / 4);
  // It has read all since: now the others are behind for longer.
  first.set(0);
  first.set(total / 2);
  expect(givenUp).toEqual([]);
  expect(tasks).toHaveLength(1);
  tasks[0]!();
  expect(givenUp).toEqual(["second"]);
  expect(budget.bytes).toBe((total * 3) / 4);
});

test("nobody is given up if clients have read meanwhile", () => {
  const one = client("a");
  one.set(total + 1);
  one.set(total);
  tasks[0]!();
  expect(givenUp).toEqual([]);
  one.set(total + 1);
  expect(tasks).toHaveLength(2);
});
