/**
 * One run of a whole fleet, all of it from a seed: engines of any dialect that go wrong in every way, clients that
 * leave, reloads, workers that die or hang, a drain. Afterwards: each request had one end that its client could see and
 * that the log names, what clients have is what one engine would have sent, and nothing stays occupied.
 */
import { expect } from "vitest";
import { continuationsMax, kvReleaseTriesMax } from "../../../src/limits.ts";
import { outcomes } from "../../../src/proxy/context/outcomes.ts";
import { type KvEnd, kvEnds } from "../../../src/scoreboard/kv-counts.ts";
import { endedOf } from "../kv-audit.ts";
import { type Asker, asker, expectHonest, isOver, type Seen } from "./askers.ts";
import { Chance } from "./chance.ts";
import { pairs } from "./dialect-engines.ts";
import { befall, type Happened } from "./events.ts";
import { FleetEngines } from "./fleet-engines.ts";
import { unreliable } from "./misbehaviours.ts";
import { expectBudgetsFree, forgetBudgets } from "./retry-audit.ts";
import { type FleetSettings, fleetOf } from "./settings.ts";
import { type Tally, tallyOf } from "./tally.ts";

/** Longer than all tries and time-outs of one client's requests together. */
const patienceMs = 120_000;

/** Gives each engine what it does, and what goes wrong with it. */
function staff(settings: FleetSettings, chance: Chance): FleetEngines {
  const { world, rules, dialect, mood } = settings;
  const rate = chance.of([0, 0.1, 0.3, 0.6]);
  const engines = new FleetEngines(world, chance, rules);
  const { prefill, decode } = pairs[rules.dialect](engines);
  const namesKv = dialect.prefillNamesKv === true;
  for (const engine of world.engines) {
    engine.checksTransfer = false;
    engine.takesReleases = false;
    const isPrefill = engine.role === "prefill";
    const whole = engines.strict(isPrefill ? prefill : decode);
    const isWell = mood !== "wild";
    engine.script = isWell ? whole : unreliable(world, chance, rate, whole, { isPrefill, namesKv });
  }
  return engines;
}

/** Throws what is wrong. */
export function runFleet(seed: number): Tally {
  const chance = new Chance(seed);
  forgetBudgets();
  const settings = fleetOf(seed, chance);
  const { world } = settings;
  const engines = staff(settings, chance);
  const happened = befall(settings, chance);
  const askers: Asker[] = [];
  for (let i = chance.below(6); i >= 0; i -= 1) {
    world.runFor(chance.below(300));
    askers.push(asker(world, chance, `c${i}`, settings));
  }
  // A drain closes what waits behind the request under way; its clients are told by the end of the connection.
  const isQuiet = (one: Asker): boolean => one.isFickle || isOver(one);
  world.runUntil(() => askers.every(isQuiet), patienceMs);
  expect(world.engines.flatMap((engine) => engine.violations)).toEqual([]);
  const isCertain = !losesWorkers(happened);
  const lines = linesById(world.lines);
  for (const one of askers) {
    const seen = expectHonest(one);
    expectLogged(lines, one, seen, isCertain);
    if (settings.mood === "mortal") expectNothingBroken(one, seen);
  }
  expectFewVisits(settings, engines);
  // Those that only read no more, or have gone silent, are found out too.
  world.runUntil(() => world.inFlight === 0, patienceMs);
  world.runFor(20_000);
  world.expectNothingLeft();
  if (!losesWorkers(happened)) expectBudgetsFree();
  expectPossibleEnds(settings);
  if (settings.mood === "calm" && !settings.losesResponses) expectNoLeak(settings);
  return tallyOf(settings, engines, happened);
}

function losesWorkers({ workerDeaths, workerHangs }: Happened): boolean {
  return workerDeaths + workerHangs > 0;
}

/** Each request has one line, and it says what the client has seen. @param isCertain no worker has died with lines */
function expectLogged(
  lines: ReadonlyMap<string, readonly string[]>,
  { client, asks, isFickle }: Asker,
  seen: readonly Seen[],
  isCertain: boolean,
): void {
  asks.forEach(({ id }, i) => {
    const own = lines.get(id) ?? [];
    if (own.length > 1) expect(own, `lines of ${id}`).toEqual([own[0]]);
    const [status, outcome] = own[0]?.split(" ") ?? [];
    const due = statuses.get(outcome ?? "");
    if (due !== undefined && seen[i] !== "broken" && seen[i] !== "error-event" && !isFickle)
      expect(status, `status of ${id}, ${outcome}`).toBe(due);
    const body = client.answers[i]?.body.toString() ?? "";
    const isError = seen[i] === "error" || seen[i] === "error-event";
    const [, code] = isError ? (/"code":"(GP_\w+)"/.exec(body) ?? []) : [];
    if (code !== undefined && isCertain) expect(outcome, id).toBe(code);
    if (isFickle || !isCertain || seen[i] === "nothing") return;
    const isRight = seen[i] === "right";
    if (outcome === undefined || isRight !== (outcome === "GP_OK")) {
      const mayBeOk = seen[i] === "error" || seen[i] === "error-event";
      if (outcome !== "GP_OK" || !mayBeOk) expect({ id, seen: seen[i] }).toEqual(outcome);
    }
  });
}

/** Streams go on from engine to engine; and what has not begun is tried again. */
function expectNothingBroken({ asks, isFickle }: Asker, seen: readonly Seen[]): void {
  if (isFickle) return;
  asks.forEach(({ id, path }, i) => {
    if (path !== "/generate") expect(seen[i], `what ${id} got`).not.toBe("broken");
  });
}

/** KV obligations end in ways that the dialect has. */
function expectPossibleEnds({ world, dialect }: FleetSettings): void {
  const { by } = dialect.release ?? {};
  const impossible: KvEnd[] = [];
  if (by === undefined) impossible.push(...kvEnds);
  if (by !== "cancelled-decode") impossible.push("released_by_cancel");
  if (by === "nothing") impossible.push("released_by_request");
  const found = impossible.filter((end) => endedOf(world.board, world.slots, end) > 0);
  if (found.length > 0) expect(found, `ends of KV obligations, freed by ${by}`).toEqual([]);
}

/** Where nothing goes wrong with engines, no KV cache stays behind, though clients leave. */
function expectNoLeak({ world, dialect }: FleetSettings): void {
  if (dialect.release?.by === "nothing") return;
  expect(endedOf(world.board, world.slots, "leaked"), "KV caches that are leaked").toBe(0);
}

/** Of the outcomes that have a status of their own, by code. */
const statuses = new Map(
  Object.values(outcomes)
    .filter(({ status, code }) => status !== 0 && code !== outcomes.answered.code)
    .map(({ code, status }) => [code, `${status}`]),
);

/** Status and outcome of each request, by its id. */
function linesById(lines: readonly string[]): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const line of lines) {
    const [id = "", status, outcome] = line.split(" ");
    all.set(id, [...(all.get(id) ?? []), `${status} ${outcome}`]);
  }
  return all;
}

/** No prompt comes to engines more often than the tries of both legs allow. */
function expectFewVisits({ tries, resumes, rules }: FleetSettings, engines: FleetEngines): void {
  // Each failure of a leg, and falling back to decode alone, starts an attempt. Where nothing of a text has come, its
  // rest is the whole of it.
  const attempts = 2 * tries * (resumes || rules.preempts ? 1 + continuationsMax : 1);
  // Once more over a new connection; and decode is asked twice where it wants a prefill first.
  const most = 2 * 2 * attempts;
  const releases = kvReleaseTriesMax * 2 * attempts;
  for (const [prompt, { prefill, decode }] of engines.visits) {
    if (prefill > most) expect(prefill, `prefills of ${prompt}`).toBeLessThanOrEqual(most);
    if (decode > most + releases)
      expect(decode, `decodes of ${prompt}`).toBeLessThanOrEqual(most + releases);
  }
}
