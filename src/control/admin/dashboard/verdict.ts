/** What is wrong, in words: what an operator asks first, the worst first. */
import type { Burst, Fleet, FleetEngine, FleetPool, Level, Problem, Verdict } from "./messages.ts";

export interface VerdictFacts {
  readonly fleet: Fleet;
  /** Names of pools that routes need and that have no engine that could serve. */
  readonly unfitPools: readonly string[];
  /** Requests of the last one to two minutes. */
  readonly ended: number;
  readonly failed: number;
  /** How the most of these have failed; undefined = none has. */
  readonly failure: { readonly code: string; readonly message: string } | undefined;
  /** Pools whose queues have not been empty since. */
  readonly queues: readonly {
    readonly pool: string;
    readonly waiting: number;
    readonly sinceMs: number;
  }[];
  readonly nowMs: number;
}

/** So short a queue is work as usual. */
const queueQuietMs = 15_000;
/** Share of requests that fail from which on it is a problem, and from which on the worst one. */
const failedShare = 0.01;
const failedShareBad = 0.2;

export function verdictOf(facts: VerdictFacts): Verdict {
  const rank: readonly Level[] = ["bad", "warn", "note"];
  const problems = [
    ...ofProcess(facts),
    ...ofPools(facts),
    ...ofEngines(facts),
    ...ofRequests(facts),
    ...ofQueues(facts),
  ].sort((a, b) => rank.indexOf(a.level) - rank.indexOf(b.level));
  const [first] = problems;
  if (first === undefined || first.level === "note") {
    return { level: "good", headline: wellText(facts.fleet), problems };
  }
  const headline = sentenceOf(first);
  const { sinceMs } = first;
  return { level: first.level, headline, ...(sinceMs !== undefined && { sinceMs }), problems };
}

/** "All 8 engines healthy". */
function wellText({ pools }: Fleet): string {
  const engines = pools.flatMap((pool) => pool.engines);
  const count = engines.length;
  const healthy = engines.filter(({ state }) => state === "healthy").length;
  if (healthy < count) return `${healthy} of ${count} engines healthy, and nothing is wrong`;
  if (count === 1) return "The engine is healthy";
  return count === 2 ? "Both engines healthy" : `All ${count} engines healthy`;
}

function sentenceOf({ text, why }: Problem): string {
  return why === undefined ? text : `${text}: ${why}`;
}

function ofProcess({ fleet }: VerdictFacts): Problem[] {
  const { alive, configured } = fleet.workers;
  if (fleet.isDraining) {
    const hint = "It finishes the requests that it has, and takes no new ones.";
    return [{ level: "bad", text: "The proxy is shutting down", hint }];
  }
  if (alive >= configured) return [];
  const level = alive === 0 ? "bad" : "warn";
  const text = alive === 0 ? "No worker is alive" : `${alive} of ${configured} workers are alive`;
  return [{ level, text, hint: "The error log says why they ended." }];
}

function ofPools({ fleet, unfitPools }: VerdictFacts): Problem[] {
  if (fleet.pools.length === 0 || fleet.pools.every(({ engines }) => engines.length === 0)) {
    const hint = "Configure some, or see whether their source (file, DNS, registration) names any.";
    return [{ level: "bad", text: "There are no engines", hint }];
  }
  return unfitPools.map((pool) => {
    const { role = "serve" as const, engines = [] } =
      fleet.pools.find((one) => one.pool === pool) ?? {};
    const named = role === pool ? role : `${role} (pool ${pool})`;
    const what = role === "serve" ? `pool ${pool}` : named;
    const since = latest(engines);
    return {
      level: "bad",
      text: `No engine is left for ${what}`,
      ...(engines.length === 0 && { why: "its pool is empty" }),
      hint: "Requests that need it fail until one is back.",
      ...(since !== undefined && { sinceMs: since }),
      pool,
    };
  });
}

/** When the last of the engines left. */
function latest(engines: readonly FleetEngine[]): number | undefined {
  return engines.length === 0 ? undefined : Math.max(...engines.map(({ sinceMs }) => sinceMs));
}

function ofEngines({ fleet }: VerdictFacts): Problem[] {
  return fleet.pools.flatMap((pool) => pool.engines.flatMap((engine) => ofEngine(pool, engine)));
}

function ofEngine(pool: FleetPool, engine: FleetEngine): Problem[] {
  const name = engineName(pool, engine);
  const where = { pool: pool.pool, engine: engine.engine, sinceMs: engine.sinceMs };
  const because = reasonOf(engine);
  const why = because === "" ? {} : { why: because };
  switch (engine.state) {
    case "ejected":
      return [
        { level: "warn", text: `${name} is ejected`, ...why, hint: hintOf(engine), ...where },
      ];
    case "degraded":
      if (engine.why === "slow-start") {
        return [{ level: "note", text: `${name} is starting slowly`, ...where }];
      }
      if (engine.why === "busy") {
        return [{ level: "note", text: `${name} says that it is busy`, ...where }];
      }
      return [{ level: "warn", text: `${name} fails`, ...why, hint: hintOf(engine), ...where }];
    case "starting":
      return [{ level: "note", text: `${name} is not ready yet`, ...where }];
    case "draining":
      return [{ level: "note", text: `${name} drains`, ...drainReason(engine), ...where }];
    case "down":
      return [{ level: "note", text: `${name} is down by configuration`, ...where }];
    default:
      return engine.signal === "dead"
        ? [{ level: "note", text: `${name} does not report its load`, ...where }]
        : [];
  }
}

const drainReasons = {
  operator: "an operator has said so",
  removed: "no source names it any more",
  source: "its source says so",
} as const;

function drainReason({ draining }: FleetEngine): { readonly why?: string } {
  return draining === undefined ? {} : { why: drainReasons[draining.why] };
}

function engineName(
  { pool, role }: Pick<FleetPool, "pool" | "role">,
  { engine }: { engine: string },
) {
  return `${role === "serve" ? pool : role} ${engine}`;
}

/** "5 connection errors"; "" = it is not known. */
export function reasonOf({
  why,
  ejection,
  burst,
}: Pick<FleetEngine, "why" | "ejection" | "burst">): string {
  const failures = burst === undefined ? "" : burstText(burst);
  if (why === "health-check") return "its health checks fail";
  if (ejection?.reason === "late")
    return `its responses come too late${failures && `, ${failures}`}`;
  if (failures !== "") return failures;
  return ejection?.reason === "success-rate" ? "it fails more often than the others" : "";
}

export function burstText({ errors, timeouts, invalid, statuses }: Burst): string {
  return [
    counted(errors, "connection error", "connection errors"),
    counted(timeouts, "time-out", "time-outs"),
    counted(invalid, "invalid response", "invalid responses"),
    counted(statuses, "response with 5xx", "responses with 5xx"),
  ]
    .filter((text) => text !== "")
    .join(", ");
}

function counted(count: number, one: string, several: string): string {
  return count === 0 ? "" : `${count} ${count === 1 ? one : several}`;
}

function hintOf({ why, burst }: FleetEngine): string {
  if (why === "health-check") return "Ask its health path yourself, and read its log.";
  if (burst !== undefined && burst.timeouts > burst.errors)
    return "Does it hang, or have too much to do?";
  return "Is it running, and reachable? Its own log says more.";
}

function ofRequests({ ended, failed, failure }: VerdictFacts): Problem[] {
  const share = ended === 0 ? 0 : failed / ended;
  if (share < failedShare || failure === undefined) return [];
  const percent = share < 0.1 ? (share * 100).toFixed(1) : String(Math.round(share * 100));
  const text = `${percent} % of requests fail`;
  const level = share >= failedShareBad ? "bad" : "warn";
  const what = failure.message.replace(/\.$/, "");
  const why = `${what.charAt(0).toLowerCase()}${what.slice(1)}`;
  return [{ level, text, why, hint: `Most end as ${failure.code}.` }];
}

function ofQueues({ queues, nowMs }: VerdictFacts): Problem[] {
  return queues
    .filter(({ sinceMs, waiting }) => waiting > 0 && nowMs - sinceMs >= queueQuietMs)
    .map(({ pool, waiting, sinceMs }) => ({
      level: "note",
      text: `${waiting} ${waiting === 1 ? "request waits" : "requests wait"} for pool ${pool}`,
      hint: "Its engines have all the work that they can take.",
      sinceMs,
      pool,
    }));
}
