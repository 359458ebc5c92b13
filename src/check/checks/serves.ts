/** `proxy`: the proxy started before these engines, and takes requests for them. */
import { setTimeout as delay } from "node:timers/promises";
import { isFailure } from "../../control/polling/request-once.ts";
import { type DialectName, dialectOf } from "../../dialects/registry.ts";
import type { Check } from "../context.ts";
import { countersAgainMs } from "../limits.ts";
import { fleet } from "../report.ts";
import { errorOf } from "../responses.ts";

export const serves: Check = {
  name: "proxy",
  needs: "proxy",
  async run(context) {
    const { address } = context.proxy!;
    const untilMs = context.clock.nowMs() + context.bounds.stepMs;
    for (;;) {
      const answer = await context.ask(address, { path: "/health" });
      if (!isFailure(answer) && answer.status === 200) {
        const message = `the proxy serves them by the dialect ${context.dialect}`;
        context.report("ok", "proxy.serves", fleet, message);
        return;
      }
      if (context.clock.nowMs() > untilMs || context.leftMs === 0) {
        const why = isFailure(answer) ? answer.why : errorOf(answer);
        const remedy = `do the engines say what their dialect needs? ${attributesOf(context.dialect)}`;
        context.report("fail", "proxy.not-ready", fleet, why, { remedy });
        context.isReady = false;
        return;
      }
      await delay(countersAgainMs);
    }
  },
};

/** What the dialect reads of engines beside their address, and where that is explained. */
export function attributesOf(name: DialectName | undefined): string {
  const dialect = name === undefined ? undefined : dialectOf(name);
  if (dialect === undefined) return "See docs/dialects.md";
  const names = Object.keys(dialect.attributes ?? {});
  const page = `docs/dialects/${dialect.page}.md`;
  if (names.length === 0) return `See ${page}`;
  return `The dialect ${name} reads ${names.join(", ")} of them, as http://host:port?${names[0]}=… (${page})`;
}
