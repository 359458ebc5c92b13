/** What has happened in fleets, so that a run can tell that it has shown all of it. */
import { kvEnds } from "../../../src/scoreboard/kv-counts.ts";
import type { Happened } from "./events.ts";
import type { FleetEngines } from "./fleet-engines.ts";
import type { FleetSettings } from "./settings.ts";

/** Counts by name. */
export type Tally = Map<string, number>;

export function tallyOf(
  { world, rules, resumes }: FleetSettings,
  engines: FleetEngines,
  happened: Happened,
): Tally {
  const tally: Tally = new Map();
  const add = (name: string, count: number): void => {
    if (count > 0) tally.set(name, (tally.get(name) ?? 0) + count);
  };
  add(`fleets of ${rules.dialect}`, 1);
  if (resumes) add(`fleets of ${rules.dialect} that resume`, 1);
  for (const [name, count] of Object.entries(happened)) add(name, count);
  for (const line of world.lines) add(line.split(" ")[2]!, 1);
  add("streams continued", engines.continued);
  add("preemptions", engines.preempted);
  for (const slot of world.slots) {
    const { kv, health } = world.board;
    for (const end of kvEnds) add(`KV ${end}`, kv.endedOf(slot, end));
    add("transfers missing", kv.missingOf(slot));
    add("ejections", health.ejections(slot));
    if (world.board.busyUntil(slot) > 0) add("engines passed over", 1);
  }
  return tally;
}

export function addTo(total: Tally, tally: Tally): void {
  for (const [name, count] of tally) total.set(name, (total.get(name) ?? 0) + count);
}
