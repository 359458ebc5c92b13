/** `signals`: whether an engine reports its load, where, and what. Asked as the proxy asks, without a key. */
import { askEngine } from "../../control/polling/ask-engine.ts";
import { loadPaths } from "../../control/polling/load-poller.ts";
import { type LoadReport, readLoad } from "../../control/polling/load-report.ts";
import { isFailure } from "../../control/polling/request-once.ts";
import type { Check, CheckContext, CheckedEngine } from "../context.ts";

const howTo =
  "vLLM and TensorRT-LLM report it by themselves, SGLang with --enable-metrics; without it --signals has no effect";

export const signals: Check = {
  name: "signals",
  needs: "engines",
  async run(context) {
    const up = context.engines.filter(({ isUp }) => isUp);
    await Promise.all(up.map((engine) => readOne(context, engine)));
  },
};

async function readOne(context: CheckContext, engine: CheckedEngine): Promise<void> {
  for (const path of loadPaths) {
    context.requests += 1;
    const timeoutMs = Math.max(1, Math.min(context.bounds.stepMs, context.leftMs));
    const response = await askEngine(engine.engine.address, path, { timeoutMs });
    if (typeof response === "string" || response.status !== 200) continue;
    const load = readLoad(response.body, -1);
    if (load === undefined) continue;
    engine.loadPath = path;
    engine.loadBefore = load;
    const message = `${path} reports its load: ${describeLoad(load)}`;
    if (load.running + load.waiting === 0) {
      context.report("ok", "signals.live", engine, message, { data: { path, ...load } });
    } else {
      const remedy = "it serves others meanwhile: its counters include their requests";
      context.report("warn", "signals.busy", engine, message, {
        remedy,
        data: { path, ...load },
      });
    }
    return;
  }
  const message = `it reports no load at ${loadPaths.join(", ")}`;
  context.report("warn", "signals.none", engine, message, { remedy: howTo });
}

export function describeLoad({ running, waiting, kvUse }: LoadReport): string {
  const kv = kvUse === undefined ? "" : `, ${percent(kvUse)} of its KV cache in use`;
  return `${running} running, ${waiting} waiting${kv}`;
}

function percent(share: number): string {
  const value = share * 100;
  if (value === 0) return "0 %";
  return value < 0.01 ? "less than 0.01 %" : `${Number(value.toFixed(2))} %`;
}

/** Its load now; undefined = it does not say. */
export async function loadOf(
  context: CheckContext,
  { engine, loadPath: path }: CheckedEngine,
): Promise<LoadReport | undefined> {
  if (path === undefined) return undefined;
  const answer = await context.ask(engine.address, { path });
  if (isFailure(answer) || answer.status !== 200) return undefined;
  return readLoad(answer.body, -1);
}
