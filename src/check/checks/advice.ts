/** `advice`: what operators should change, by the rules of `dialects/advice/`. */
import { isLoopback } from "../../config/values/engine-url.ts";
import { type AdviceRule, engineAdvice, pairAdvice } from "../../dialects/advice/advice.ts";
import { adviceOn } from "../../dialects/detect.ts";
import type { Check, CheckContext, CheckedEngine } from "../context.ts";
import { choosePairs } from "../pairs.ts";
import { fleet, pairName } from "../report.ts";

export const advice: Check = {
  name: "advice",
  needs: "engines",
  async run(context) {
    const before = context.findings.length;
    for (const engine of context.engines) {
      const { facts, role } = engine;
      if (facts === undefined) continue;
      const { host = "localhost" } = engine.engine.address;
      const { attributes } = engine.engine;
      const advised = { facts, role, attributes, isLoopback: isLoopback(host) };
      for (const rule of engineAdvice) say(context, engine.name, rule, advised);
      sayOfFamily(context, engine);
    }
    const of = (role: string) => context.engines.filter((engine) => engine.role === role);
    for (const [prefill, decode] of choosePairs(of("prefill"), of("decode"))) {
      if (prefill.facts === undefined || decode.facts === undefined) continue;
      const advised = { prefill: prefill.facts, decode: decode.facts };
      const name = pairName(prefill, decode);
      for (const rule of pairAdvice) say(context, name, rule, advised);
    }
    const isKnown = context.engines.some(({ facts }) => facts !== undefined);
    if (context.findings.length > before || !isKnown) return;
    const isShown = context.engines.some(({ facts }) => facts?.isInDevMode);
    const message = isShown
      ? "nothing to change in how the engines were started"
      : "nothing to change, by what the engines show without VLLM_SERVER_DEV_MODE=1";
    context.report("ok", "advice.none", fleet, message);
  },
};

function say<Of>(context: CheckContext, about: string, rule: AdviceRule<Of>, of: Of): void {
  const { code, level, remedy, reason, source } = rule;
  const found = rule.finds(of);
  if (found === undefined) return;
  const data = { reason, source };
  context.report(level, `advice.${code}`, about, `${found}: ${reason}`, { remedy, data });
}

/** What `auto` would log. */
function sayOfFamily(context: CheckContext, engine: CheckedEngine): void {
  const { detection, role, responses } = engine;
  if (detection === undefined || role === "engine") return;
  for (const { code, level, text } of adviceOn(detection.family, role, responses)) {
    const [found = "", remedy = ""] = text.split(/: (.*)/s, 2);
    const name = code.toLowerCase().replaceAll("_", "-");
    const status = level === "error" ? "fail" : "warn";
    context.report(status, `advice.${name}`, engine, `it ${found}`, { remedy });
  }
}
