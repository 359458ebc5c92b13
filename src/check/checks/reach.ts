/** `reach`: whether an engine responds, whether it wants a key, how long it takes, and what time it thinks it is. */

import {
  type FailureKind,
  type HttpFailure,
  isFailure,
  seconds,
} from "../../control/polling/request-once.ts";
import type { Check, CheckContext, CheckedEngine, TimedResponse } from "../context.ts";
import { clockOffsetMsMax, latencyRequests } from "../limits.ts";
import { errorOf } from "../responses.ts";

const modelsPath = "/v1/models";

const remedies: Readonly<Record<FailureKind, string>> = {
  refused: "is the engine running, and is this its port?",
  "unknown-host": "check the host's name",
  timeout: "does the engine hang, or does a firewall drop packets? --step-timeout waits longer",
  "not-http": "engines are reached over plain HTTP: is this the port of their API?",
  broken: "look into the engine's log",
  stopped: "let it run to its end",
  large: "is this an engine at all?",
};

export const reach: Check = {
  name: "reach",
  needs: "engines",
  async run(context) {
    await Promise.all(context.engines.map((engine) => reachOne(context, engine)));
  },
};

async function reachOne(context: CheckContext, engine: CheckedEngine): Promise<void> {
  const { address } = engine.engine;
  const models = await context.ask(address, { path: modelsPath });
  if (isFailure(models)) {
    const { kind, why } = models;
    context.report("fail", `reach.${kind}`, engine, why, { remedy: remedies[kind] });
    return;
  }
  if (!isModelList(context, engine, models)) return;
  engine.isUp = true;
  await measure(context, engine);
}

function isModelList(context: CheckContext, engine: CheckedEngine, models: TimedResponse): boolean {
  const { status, headers, body } = models;
  const fail = (code: string, message: string, remedy: string) => {
    context.report("fail", code, engine, message, { remedy, data: { status } });
    return false;
  };
  if (status === 401 || status === 403) {
    const remedy =
      "--api-key-env NAME says which environment variable holds it; other headers: --header 'NAME: VALUE'";
    return fail("reach.unauthorized", `it wants a key: ${errorOf(models)}`, remedy);
  }
  if (status >= 300 && status < 400) {
    const to = headers.location ?? "nowhere";
    return fail("reach.redirect", `${modelsPath} is redirected to ${to}`, "name the engine itself");
  }
  if (status >= 500) {
    const remedy = "is the engine still starting? Look into its log";
    return fail("reach.error", `${modelsPath} is ${errorOf(models)}`, remedy);
  }
  if (status !== 200 || !/"data"\s*:\s*\[/.test(body.toString("latin1", 0, 65_536))) {
    const what = status === 200 ? "200 without a list of models" : String(status);
    const remedy = "an engine has an OpenAI-compatible API; this is another kind of server";
    return fail("reach.no-engine", `${modelsPath} is ${what}`, remedy);
  }
  return true;
}

/** The median of a few requests. Each connects anew. */
async function measure(context: CheckContext, engine: CheckedEngine): Promise<void> {
  const { address } = engine.engine;
  const health = await context.ask(address, { path: "/health" });
  const path = !isFailure(health) && health.status === 200 ? "/health" : modelsPath;
  const answers: TimedResponse[] = [];
  for (let i = 0; i < latencyRequests; i += 1) {
    const answer: TimedResponse | HttpFailure = await context.ask(address, { path });
    if (isFailure(answer)) {
      const message = `${path}: ${answer.why}`;
      const remedy = "the engine responds at times: look into its log";
      context.report("fail", "reach.unsteady", engine, message, { remedy });
      return;
    }
    answers.push(answer);
  }
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  const latencyMs = times[Math.floor(times.length / 2)]!;
  const offsetMs = clockOffsetMs(answers.at(-1)!, context.clock.wallMs());
  const what = `responds in ${latencyMs.toFixed(1)} ms (median of ${times.length} × GET ${path})`;
  const data = { latencyMs: Number(latencyMs.toFixed(1)), path, clockOffsetMs: offsetMs };
  if (offsetMs === undefined) {
    const message = `${what}; it sends no Date header, so its clock is not known`;
    context.report("ok", "reach.ok", engine, message, { data });
  } else if (Math.abs(offsetMs) <= clockOffsetMsMax) {
    const message = `${what}; its clock is that of this machine, as far as the Date header shows (whole seconds)`;
    context.report("ok", "reach.ok", engine, message, { data });
  } else {
    const way = offsetMs > 0 ? "ahead of" : "behind";
    const offset = `${seconds(Math.abs(offsetMs))} ${way} this machine's`;
    const message = `${what}; its clock is ${offset} (Date header, whole seconds)`;
    const remedy = "set the clocks by NTP: times in logs cannot be compared";
    context.report("warn", "reach.clock", engine, message, { remedy, data });
  }
}

/** The header has whole seconds, cut off: its middle is half a second later. Servers may repeat it for a second. */
function clockOffsetMs({ headers, ms }: TimedResponse, nowMs: number): number | undefined {
  const date = Date.parse(headers.date ?? "");
  if (Number.isNaN(date)) return undefined;
  return Math.round(date + 500 - (nowMs - ms / 2));
}
