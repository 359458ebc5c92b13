/** How long a response is fresh, in the words of nginx's `expires`. */
import { parseTime } from "../nginx/reading/units.ts";

type Lifetime =
  | { readonly kind: "epoch" }
  | { readonly kind: "max" }
  /** From now, or from the last change. */
  | { readonly kind: "after"; readonly ms: number }
  /** Until this time of the day. */
  | { readonly kind: "daily"; readonly ms: number };

const dayMs = 86_400_000;

/** Undefined = none: it is `off`, or cannot be read. @param fromChange as below */
export function parseLifetime(text: string, fromChange: boolean): Lifetime | undefined {
  if (!fromChange && (text === "epoch" || text === "max")) return { kind: text };
  const sign = /^[@+-]/.exec(text)?.[0] ?? "";
  const ms = parseTime(text.slice(sign.length), "seconds");
  if (ms === undefined) return undefined;
  if (sign !== "@") return { kind: "after", ms: sign === "-" ? -ms : ms };
  return fromChange || ms > dayMs ? undefined : { kind: "daily", ms };
}
