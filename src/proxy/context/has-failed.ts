/** Which requests count as failed, for traces and for operators. */
import type { Outcome } from "./outcomes.ts";

interface Ended {
  readonly status: number;
  readonly outcome: Pick<Outcome, "fault"> | undefined;
}

/** Whether somebody other than the client is to blame for how it ended. */
export function hasFailed({ status, outcome }: Ended): boolean {
  const fault = outcome?.fault ?? "none";
  return status >= 500 || (fault !== "none" && fault !== "client");
}
