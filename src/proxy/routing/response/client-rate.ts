/** How fast clients get responses (nginx's `limit_rate` and `limit_rate_after`). */
import { parseSize } from "../../../config/nginx/reading/units.ts";
import type { RouteConfig } from "../../../config/schema/schema.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";

const none: Render = () => "0";

export class ClientRate {
  readonly #rate: Render;
  readonly #after: Render;

  private constructor(rate: Render, after: Render) {
    this.#rate = rate;
    this.#after = after;
  }

  /** Undefined = as fast as they read. */
  static of(config: RouteConfig["clientRate"], scope: VariableScope): ClientRate | undefined {
    if (config === undefined) return undefined;
    const { bytesPerSecond, afterBytes } = config;
    return new ClientRate(scope.compile(String(bytesPerSecond)), scope.compile(String(afterBytes)));
  }

  /** Of a route without one, where a step has set `$limit_rate`. */
  static readonly ofStep: ClientRate = new ClientRate(none, none);

  /** 0 = no limit. */
  bytesPerSecond(context: RequestContext): number {
    return context.rateOfStep ?? parseSize(this.#rate(context)) ?? 0;
  }

  /** What goes out without a limit first. */
  afterBytes(context: RequestContext): number {
    return parseSize(this.#after(context)) ?? 0;
  }
}
