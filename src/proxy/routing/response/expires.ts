/** How long clients may keep a response: `Expires` and `Cache-Control` (nginx's `expires`). */
import type { RouteConfig } from "../../../config/schema/schema.ts";
import { parseLifetime } from "../../../config/values/lifetime.ts";
import type { RequestContext } from "../../context/request-context.ts";
import type { Render } from "../render.ts";
import type { VariableScope } from "../template.ts";
import { isUsualStatus } from "./added-headers.ts";

export class Expires {
  readonly #fromChange: boolean;
  readonly #value: Render;

  private constructor({ value, fromChange }: ExpiresConfig, scope: VariableScope) {
    this.#fromChange = fromChange;
    if (value.includes("$")) this.#value = scope.compile(value);
    else this.#value = () => value;
  }

  /** Undefined = nothing is said. */
  static of(config: RouteConfig["expires"], scope: VariableScope): Expires | undefined {
    return config && new Expires(config, scope);
  }

  /**
   * The lines in place of those that there are, each with its CRLF; "" = those stay.
   * @param lastModified of the response, if it says so
   */
  lines(context: RequestContext, status: number, lastModified: string | undefined): string {
    if (!isUsualStatus(status)) return "";
    const lifetime = parseLifetime(this.#value(context), this.#fromChange);
    if (lifetime === undefined) return "";
    if (lifetime.kind === "epoch") return linesOf("Thu, 01 Jan 1970 00:00:01 GMT", "no-cache");
    if (lifetime.kind === "max") {
      return linesOf("Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000");
    }
    const nowMs = Math.floor(context.sources.clock.wallMs() / 1000) * 1000;
    const changeMs = this.#fromChange ? Date.parse(lastModified ?? "") : Number.NaN;
    const endMs =
      lifetime.kind === "daily"
        ? nextTime(lifetime.ms, nowMs)
        : (Number.isNaN(changeMs) || lifetime.ms === 0 ? nowMs : changeMs) + lifetime.ms;
    const age = (endMs - nowMs) / 1000;
    const isOver = age < 0 || lifetime.ms < 0;
    return linesOf(new Date(endMs).toUTCString(), isOver ? "no-cache" : `max-age=${age}`);
  }
}

type ExpiresConfig = NonNullable<RouteConfig["expires"]>;

function linesOf(expires: string, cacheControl: string): string {
  return `Expires: ${expires}\r\nCache-Control: ${cacheControl}\r\n`;
}

/** The next time at which the clock, which is local, shows so much. */
function nextTime(ofDayMs: number, nowMs: number): number {
  const date = new Date(nowMs);
  date.setHours(0, 0, 0, 0);
  date.setMilliseconds(ofDayMs);
  if (date.getTime() > nowMs) return date.getTime();
  date.setDate(date.getDate() + 1);
  return date.getTime();
}
