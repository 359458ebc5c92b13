/** `dialect`: which protocol each engine speaks and how that shows, its role, and by which one the proxy is started. */
import { addressToAsk } from "../../control/polling/address-to-ask.ts";
import { isFailure } from "../../control/polling/request-once.ts";
import { readFacts, versionPath } from "../../dialects/advice/facts.ts";
import { type Detection, detect, detectionQuestions } from "../../dialects/detect.ts";
import type { DialectName } from "../../dialects/registry.ts";
import type { Check, CheckContext, CheckedEngine } from "../context.ts";
import { fleet } from "../report.ts";

const nameIt =
  "name it with --dialect; vLLM engines show it with VLLM_SERVER_DEV_MODE=1, which is for networks that only you reach";

/** @param given by --dialect; undefined = it is found out */
export function dialectCheck(given: DialectName | undefined): Check {
  return {
    name: "dialect",
    needs: "engines",
    async run(context) {
      const up = context.engines.filter(({ isUp }) => isUp);
      await Promise.all(up.map((engine) => detectOne(context, engine)));
      for (const engine of up) reportOne(context, engine, given);
      context.dialect = given ?? chosen(context, up);
    },
  };
}

/** The questions of `auto`, and the version. */
async function detectOne(context: CheckContext, engine: CheckedEngine): Promise<void> {
  const responses = new Map<string, string>();
  for (const { path, port } of [...detectionQuestions, { path: versionPath, port: undefined }]) {
    const answer = await context.ask(addressToAsk(engine.engine, port, {}), { path });
    if (!isFailure(answer) && answer.status === 200) {
      responses.set(path, answer.body.toString("latin1"));
    }
  }
  engine.responses = responses;
  engine.facts = readFacts(responses);
  engine.detection = detect(responses);
}

function reportOne(
  context: CheckContext,
  engine: CheckedEngine,
  given: DialectName | undefined,
): void {
  const { detection, facts } = engine;
  const version = facts?.version === undefined ? "" : `, version ${facts.version}`;
  const role = facts?.role === undefined ? "" : `, role ${facts.role}`;
  const data = { detection, version: facts?.version, role: facts?.role, given };
  if (detection === undefined && !context.splits) {
    const message = `it does not show what kind of engine it is${version}; with --engine that does not matter`;
    context.report("ok", "dialect.plain", engine, message, { data });
    return;
  }
  if (detection === undefined) {
    const message = `it shows no dialect${version}`;
    const remedy =
      given === undefined ? nameIt : "check that --dialect is that of its KV connector";
    context.report(given ? "ok" : "warn", "dialect.unknown", engine, message, { remedy, data });
    return;
  }
  const { dialect, isAssumed, from, family } = detection;
  if (context.splits && isAssumed) {
    // The proxy's own `auto` would take the same.
    const what = given ?? `${dialect} is assumed`;
    const message = `${what}: ${from} shows ${family}, but not its KV connector${version}${role}`;
    const status = given === undefined ? "warn" : "ok";
    const more = given === undefined ? { remedy: nameIt, data } : { data };
    context.report(status, "dialect.assumed", engine, message, more);
  } else if (context.splits && given !== undefined && given !== dialect) {
    const message = `--dialect ${given} is given, but it speaks ${dialect} (${from})${version}`;
    const remedy = `leave out --dialect, or write --dialect ${dialect}`;
    context.report("fail", "dialect.wrong", engine, message, { remedy, data });
  } else {
    const what = context.splits ? `${dialect}: ${from}` : `${family}: ${from}`;
    context.report("ok", "dialect.known", engine, `${what}${version}${role}`, { data });
  }
}

/** As the proxy chooses for routes whose dialect is `auto`. */
function chosen(context: CheckContext, up: readonly CheckedEngine[]): DialectName | undefined {
  if (!context.splits) return "plain";
  const detections = up.flatMap(({ detection }) => detection ?? []);
  const certain = detections.filter(({ isAssumed }) => !isAssumed);
  const names = (list: readonly Detection[], of: "dialect" | "family") =>
    [...new Set(list.map((detection) => detection[of]))].join(", ");
  const isMixed =
    names(certain, "dialect").includes(",") || names(detections, "family").includes(",");
  if (isMixed) {
    const message = `the engines speak several dialects: ${names(detections, "dialect")}`;
    const remedy = "one route has engines of one dialect: check each kind by itself";
    context.report("fail", "dialect.mixed", fleet, message, { remedy });
    return undefined;
  }
  const found = (certain[0] ?? detections[0])?.dialect;
  if (found === undefined && up.length > 0) {
    const message = "no engine shows its dialect";
    context.report("fail", "dialect.none", fleet, message, { remedy: nameIt });
  }
  return found;
}
