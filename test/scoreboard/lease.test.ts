/** Counters cannot drift: a lease gives back what it took, once, however many ways out run. */
import { expect, it } from "vitest";
import { Lease } from "../../src/scoreboard/lease.ts";
import { createScoreboardMemory, Scoreboard } from "../../src/scoreboard/scoreboard.ts";

it("closes once, so that neither its own count nor another's goes below what is taken", () => {
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 2 }), 0);
  const leases = [30, 4].map((bytes) => {
    expect(board.take(1, bytes, 0)).toBe(true);
    return new Lease(board, 1, bytes);
  });
  leases[0]!.close();
  leases[0]!.close();
  leases[0]!.close();
  expect([board.inFlight(1), board.promptBytes(1)]).toEqual([1, 4]);
  leases[1]!.close();
  leases[1]!.close();
  expect([board.inFlight(1), board.promptBytes(1), board.inFlight(0)]).toEqual([0, 0, 0]);
});

it("takes nothing by being made: the place was taken before", () => {
  const board = new Scoreboard(createScoreboardMemory({ workers: 1, slots: 1 }), 0);
  new Lease(board, 0, 5);
  expect(board.inFlight(0)).toBe(0);
});
