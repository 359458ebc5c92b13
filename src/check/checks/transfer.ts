/** `transfer`: whether KV caches really go from prefill engines to decode engines, by the engines' own counters. */
import { setTimeout as delay } from "node:timers/promises";
import { isFailure } from "../../control/polling/request-once.ts";
import { dialectOf } from "../../dialects/registry.ts";
import type { Check, CheckContext, CheckedEngine, CheckedPair } from "../context.ts";
import { countersAgainMs, countersLagMs } from "../limits.ts";
import { metricOf } from "../metrics.ts";
import { checkPrompt } from "../prompts.ts";
import { errorOf, saidBy } from "../responses.ts";
import { attributesOf } from "./serves.ts";

export const transfer: Check = {
  name: "transfer",
  needs: "proxy",
  async run(context) {
    if (!context.splits) return;
    // One after the other: each is to find its own requests in the counters.
    for (const pair of context.pairs) await transferOne(context, pair);
  },
};

async function transferOne(context: CheckContext, pair: CheckedPair): Promise<void> {
  const before = await countersOf(context, pair.decode);
  const answer = await context.ask(pair.address, {
    path: "/v1/completions",
    json: {
      model: context.model,
      prompt: checkPrompt(context),
      max_tokens: 4,
      temperature: 0,
    },
  });
  if (isFailure(answer) || answer.status !== 200) {
    const why = isFailure(answer) ? answer.why : errorOf(answer);
    const remedy = isFailure(answer)
      ? "one of the engines hangs, or waits for the other: see the logs of both"
      : "the logs of both engines say what went wrong between them, docs/outcomes.md what a code of GP_ means. " +
        attributesOf(context.dialect);
    context.report("fail", "transfer.failed", pair, `a completion failed: ${why}`, { remedy });
    return;
  }
  const promptTokens = saidBy(answer)?.promptTokens ?? 0;
  let counters = before;
  const untilMs = context.clock.nowMs() + countersLagMs;
  do {
    counters = await countersOf(context, pair.decode);
    if (isCounted(before, counters, promptTokens)) break;
    await delay(countersAgainMs);
  } while (before !== undefined && context.clock.nowMs() < untilMs && context.leftMs > 0);
  judge(context, pair, { before, after: counters, promptTokens });
}

/** Tokens of prompts, as a decode engine counts them since its start. */
interface Counters {
  /** From other engines. */
  readonly external: number;
  /** Computed here; undefined = it does not say. */
  readonly computed: number | undefined;
  /** From its own cache. */
  readonly cached: number;
}

interface Seen {
  readonly before: Counters | undefined;
  readonly after: Counters | undefined;
  readonly promptTokens: number;
}

/** Sources: vLLM `v1/metrics/loggers.py`; engines before `prompt_tokens_by_source` count hits of the connector. */
async function countersOf(
  context: CheckContext,
  { engine }: CheckedEngine,
): Promise<Counters | undefined> {
  const answer = await context.ask(engine.address, { path: "/metrics" });
  if (isFailure(answer) || answer.status !== 200) return undefined;
  const text = answer.body.toString("latin1");
  const bySource = (source: string) =>
    metricOf(text, "vllm:prompt_tokens_by_source_total", `source="${source}"`);
  const external = bySource("external_kv_transfer");
  if (external !== undefined) {
    const computed = bySource("local_compute") ?? 0;
    return { external, computed, cached: bySource("local_cache_hit") ?? 0 };
  }
  const hits = metricOf(text, "vllm:external_prefix_cache_hits_total");
  return hits === undefined ? undefined : { external: hits, computed: undefined, cached: 0 };
}

/** An engine's counters may be some steps behind its responses. */
function isCounted(
  before: Counters | undefined,
  after: Counters | undefined,
  promptTokens: number,
): boolean {
  if (before === undefined || after === undefined) return true;
  const { external, computed, cached } = difference(before, after);
  return external + (computed ?? 0) + cached >= promptTokens / 2;
}

function difference(before: Counters, after: Counters) {
  const computed =
    after.computed === undefined ? undefined : after.computed - (before.computed ?? 0);
  return {
    external: after.external - before.external,
    computed,
    cached: after.cached - before.cached,
  };
}

function judge(context: CheckContext, pair: CheckedPair, seen: Seen): void {
  const { before, after, promptTokens } = seen;
  if (before === undefined || after === undefined) {
    judgeByProtocol(context, pair, promptTokens);
    return;
  }
  const { external, computed, cached } = difference(before, after);
  const data = { promptTokens, external, computed, cached };
  const rest = computed === undefined ? "" : ` and computed ${computed}`;
  if (external >= promptTokens / 2 && external > 0) {
    const others = external > promptTokens ? " (others use it meanwhile)" : "";
    const message = `decode got ${external} of the prompt's ${promptTokens} tokens from prefill${rest}${others}`;
    context.report("ok", "transfer.moved", pair, message, { data });
    return;
  }
  const message =
    `the KV cache did not move: of the prompt's ${promptTokens} tokens decode got ${external} from prefill${rest}` +
    (cached > 0 ? `, ${cached} were in its own cache` : "");
  const remedy =
    `what prefill computed is thrown away: is "${context.dialect}" the dialect of these engines, ` +
    "and do both have a KV connector (--kv-transfer-config)?";
  context.report("fail", "transfer.recomputed", pair, message, { remedy, data });
}

/** Where no counter shows it, what the engine is may: one that cannot compute prompts has got the KV cache. */
function judgeByProtocol(context: CheckContext, pair: CheckedPair, promptTokens: number): void {
  const why = whyDecodeCannotCompute(context, pair.decode);
  const data = { promptTokens };
  if (why !== undefined) {
    const message = `the KV cache moved: ${why}, and the completion is there (no counter shows it)`;
    context.report("ok", "transfer.implied", pair, message, { data });
    return;
  }
  const message =
    "a completion succeeded, but the decode engine's counters do not show whether the KV cache moved";
  const remedy =
    "vLLM shows it at /metrics (without --disable-log-stats): vllm:prompt_tokens_by_source_total";
  context.report("warn", "transfer.not-shown", pair, message, { remedy, data });
}

/** As half a sentence; undefined = it can, as far as is known. */
export function whyDecodeCannotCompute(
  { dialect }: CheckContext,
  { facts }: CheckedEngine,
): string | undefined {
  const family = dialect === undefined ? undefined : dialectOf(dialect)?.family?.name;
  if (family === "sglang" && facts?.role === "decode") {
    return "an SGLang engine in the mode decode computes no prompts";
  }
  if (family === "trtllm") return "a generation server computes no prompt of such a request";
  return undefined;
}
