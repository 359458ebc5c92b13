/** How fast clients get responses (nginx's `limit_rate` and `limit_rate_after`). */
import { parseSize } from "../../../config/nginx/reading/units.ts";
import type { RouteConfig } from "../../../config/schema/schema.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";

export class ClientRate {
  readonly #rate: Render;
  readonly #after: Render;

  private constructor(
    { bytesPerSecond, afterBytes }: NonNullable<RouteConfig["clientRate"]>,
    scope: VariableScope,
  ) {
    this.#rate = scope.compile(String(bytesPerSecond));
    this.#after = scope.compile(String(afterBytes));
  }

  /** Undefined = as fast as they read. */
  static of(config: RouteConfig["clientRate"], scope: VariableScope): ClientRate | undefined {
    return config && new ClientRate(config, scope);
  }

  /** 0 = no limit. */
  bytesPerSecond(context: RequestContext): number {
    return parseSize(this.#rate(context)) ?? 0;
  }

  /** What goes out without a limit first. */
  afterBytes(context: RequestContext): number {
    return parseSize(this.#after(context)) ?? 0;
  }
}
