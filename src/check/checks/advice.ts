/** `advice`: what operators should change, by the rules of `dialects/advice/`. */
import { isLoopback } from "../../config/values/engine-url.ts";
import { type AdviceRule, engineAdvice, pairAdvice } from "../../dialects/advice/advice.ts";
import type { Check, CheckContext } from "../context.ts";
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
