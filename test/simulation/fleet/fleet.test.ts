/**
 * Whole fleets in virtual time, each from its seed. `npm run test:simulation -- --seeds 10000` runs more of them, and
 * `--seed N` one alone: a failure names its seed.
 */
import { expect, test } from "vitest";
import { allDialects } from "../../../src/dialects/registry.ts";
import { runFleet } from "./fleet.ts";
import { addTo, type Tally } from "./tally.ts";

const first = Number(process.env["SIMULATION_FROM"] ?? 1);
const count = Number(process.env["SIMULATION_SEEDS"] ?? 500);

/** What must have happened somewhere in so many fleets. */
const due = [
  ...allDialects.map(({ name }) => `fleets of ${name}`),
  ...["engineDeaths", "reloads", "workerDeaths", "workerHangs", "drains", "ejections"],
  ...["streams continued", "preemptions", "transfers missing", "engines passed over"],
  ...["KV taken", "KV released_by_cancel", "KV released_by_request", "KV released_by_prefill"],
];

test("whatever befalls a fleet, no request ends wrongly, and nothing is left", () => {
  const failed: string[] = [];
  const total: Tally = new Map();
  for (let seed = first; seed < first + count && failed.length < 20; seed += 1) {
    try {
      addTo(total, runFleet(seed));
    } catch (cause) {
      failed.push(`seed ${seed}: ${(cause as Error).message.slice(0, 600)}${diff(cause)}`);
      if (count === 1) throw cause;
    }
  }
  expect(failed).toEqual([]);
  if (process.env["SIMULATION_SEEDS"] !== undefined) process.stdout.write(`${report(total)}\n`);
  if (count >= 500)
    expect(
      due.filter((name) => !total.has(name)),
      "what never happened",
    ).toEqual([]);
});

/** What was found, which the message alone may not say. */
function diff(cause: unknown): string {
  const { actual } = cause as { actual?: unknown };
  return actual === undefined ? "" : ` ${String(actual).slice(0, 600)}`;
}

function report(total: Tally): string {
  return [...total]
    .sort()
    .map(([name, times]) => `  ${name}: ${times}`)
    .join("\n");
}
