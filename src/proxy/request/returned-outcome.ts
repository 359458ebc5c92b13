/** How a request ends to which the configuration itself responds. */
import { reasonOf } from "../../http1/reason.ts";
import { type Outcome, outcomes } from "../context/outcomes.ts";
import { refused } from "../context/refused.ts";
import type { ReturnedReply } from "../routing/rewrite.ts";

/** nginx's status for `return`: close the connection, say nothing. */
const closeStatus = 444;

/** An error or a redirect without a text of its own may have a page, as in nginx. */
export function returnedOutcome({ status, text }: ReturnedReply): Outcome {
  if (status === closeStatus && text === undefined) return outcomes.closed;
  const isError = text === undefined && status >= 300;
  return isError ? refused(status, "GP_RETURNED", reasonOf(status)) : outcomes.returned;
}

/** nginx's status for a request that gets no response; nothing is sent with it. @param isWhole all of it has come */
export function silentStatus(outcome: Outcome, isWhole: boolean): number {
  if (outcome === outcomes.closed) return closeStatus;
  return isWhole ? 499 : 400;
}
