/** `aborts`: whether engines free the KV caches of clients that leave, in the prefill and while tokens come. */
import { setTimeout as delay } from "node:timers/promises";
import type { LoadReport } from "../../control/polling/load-report.ts";
import { isFailure, seconds } from "../../control/polling/request-once.ts";
import { dialectOf } from "../../dialects/registry.ts";
import type { Check, CheckContext, CheckedEngine, CheckedPair } from "../context.ts";
import { checkTokensMax, comparedPairsMax, countersAgainMs } from "../limits.ts";
import { checkPrompt } from "../prompts.ts";
import { fleet } from "../report.ts";
import { describeLoad, loadOf } from "./signals.ts";

/** When clients leave: about while prompts are computed, and when tokens come. */
const leaves = [
  { afterMs: 5 },
  { afterMs: 20 },
  { afterMs: 60 },
  "after-first-bytes",
  "after-first-bytes",
  "after-first-bytes",
] as const;

/** How long nothing must be held. */
const restMs = 1_500;
/** What is not free soon is freed by a time of the engine's own: then it is looked for less often. */
const soonMs = 5_000;
const laterAgainMs = 1_000;

export const aborts: Check = {
  name: "aborts",
  needs: "proxy",
  async run(context) {
    const watched = context.engines.filter(({ loadBefore }) => loadBefore !== undefined);
    if (watched.length === 0) {
      const message = "not tried: no engine reports what it holds";
      context.report("skip", "aborts.not-shown", fleet, message);
      return;
    }
    const pairs = context.pairs.slice(0, comparedPairsMax);
    const left = (await Promise.all(pairs.map((pair) => leaveAll(context, pair)))).flat();
    const failed = left.filter((why) => why !== undefined);
    if (failed.length === left.length) {
      const message = `no stream began: ${failed[0]}`;
      const remedy = "see what the other checks say";
      context.report("fail", "aborts.failed", fleet, message, { remedy });
      return;
    }
    const count = left.length - failed.length;
    await Promise.all(watched.map((engine) => waitForRest(context, engine, count)));
  },
};

/** @returns for each stream why it could not be begun; undefined = its client has left, or it had ended before */
function leaveAll(context: CheckContext, pair: CheckedPair): Promise<(string | undefined)[]> {
  return Promise.all(
    leaves.map(async (leave) => {
      const answer = await context.ask(pair.address, {
        path: "/v1/completions",
        json: {
          model: context.model,
          prompt: checkPrompt(context),
          max_tokens: checkTokensMax,
          temperature: 0,
          stream: true,
        },
        leave,
      });
      if (isFailure(answer)) return answer.why;
      return answer.status >= 400 ? `status ${answer.status}` : undefined;
    }),
  );
}

/** Until the engine has had no more than before the check for a while, or the time is over. */
async function waitForRest(
  context: CheckContext,
  engine: CheckedEngine,
  count: number,
): Promise<void> {
  const before = engine.loadBefore!;
  const startMs = context.clock.nowMs();
  let load: LoadReport | undefined;
  // What is on its way when a client leaves comes later, and counters may lag behind.
  let freeSinceMs: number | undefined;
  for (;;) {
    load = await loadOf(context, engine);
    const waitedMs = context.clock.nowMs() - startMs;
    freeSinceMs =
      load !== undefined && isAtRest(load, before) ? (freeSinceMs ?? waitedMs) : undefined;
    if (freeSinceMs !== undefined && waitedMs - freeSinceMs >= restMs) {
      const message = `nothing is held ${seconds(freeSinceMs)} after ${count} clients left in prefill and decode`;
      const data = { waitedMs: Math.round(freeSinceMs), clients: count };
      context.report("ok", "aborts.free", engine, message, { data });
      return;
    }
    if (waitedMs >= context.bounds.abortWaitMs || context.leftMs <= countersAgainMs) {
      reportHeld(context, engine, load, waitedMs);
      return;
    }
    await delay(waitedMs < soonMs ? countersAgainMs : laterAgainMs);
  }
}

function isAtRest(load: LoadReport, before: LoadReport): boolean {
  const isQuiet = load.running <= before.running && load.waiting <= before.waiting;
  return isQuiet && (load.kvUse ?? 0) <= (before.kvUse ?? 0);
}

function reportHeld(
  context: CheckContext,
  engine: CheckedEngine,
  load: LoadReport | undefined,
  waitedMs: number,
): void {
  const { dialect } = context;
  const before = engine.loadBefore!;
  const data = { waitedMs: Math.round(waitedMs), before, after: load };
  if (load === undefined) {
    const message = "it reports no load any more";
    const remedy = "is the engine still there?";
    context.report("fail", "aborts.silent", engine, message, { remedy, data });
    return;
  }
  const [now, then] = [describeLoad(load), describeLoad(before)];
  const message = `${seconds(waitedMs)} after clients left it still has: ${now} (before: ${then})`;
  if (before.running + before.waiting > 0) {
    const remedy = "others use the engine meanwhile: try again when it is idle";
    context.report("warn", "aborts.busy", engine, message, { remedy, data });
    return;
  }
  const lease = dialect === undefined ? undefined : dialectOf(dialect)?.release?.lease;
  const isLeased = load.running + load.waiting === 0 && engine.role === "prefill";
  if (lease !== undefined && isLeased && waitedMs <= longestMs(lease)) {
    const remedy =
      `with ${dialect} it holds what nobody fetches for ${lease}: ` +
      "wait longer than that with --abort-wait to see whether it is a leak";
    context.report("warn", "aborts.leased", engine, message, { remedy, data });
    return;
  }
  const remedy = "KV caches of clients that have left use up the engine: look into its log";
  context.report("fail", "aborts.held", engine, message, { remedy, data });
}

/** The longest time that is named, as in "30 s (`kv_lease_duration`); older vLLM 480 s"; without one, for ever. */
function longestMs(lease: string): number {
  const times = [...lease.matchAll(/(\d+) s\b/g)].map(([, text]) => Number(text) * 1_000);
  return times.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...times);
}
