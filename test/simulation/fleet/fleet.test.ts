/**
 * Whole fleets in virtual time, each from its seed. `npm run test:simulation -- --seeds 10000` runs more of them, and
 * `--seed N` one alone: a failure names its seed.
 */
import { expect, test } from "vitest";
import { runFleet } from "./fleet.ts";

const first = Number(process.env["SIMULATION_FROM"] ?? 1);
const count = Number(process.env["SIMULATION_SEEDS"] ?? 500);

test("whatever befalls a fleet, no request ends wrongly, and nothing is left", () => {
  const failed: string[] = [];
  for (let seed = first; seed < first + count && failed.length < 20; seed += 1) {
    try {
      runFleet(seed);
    } catch (cause) {
      failed.push(`seed ${seed}: ${(cause as Error).message}`);
      if (count === 1) throw cause;
    }
  }
  expect(failed).toEqual([]);
});
