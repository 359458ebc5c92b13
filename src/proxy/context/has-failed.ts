/** Which requests count as failed, for traces and for operators, and which are their clients' fault. */
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

/** Whether it ended otherwise than its client wanted, and nobody else is to blame. */
export function isClientFault({ status, outcome }: Ended): boolean {
  if (hasFailed({ status, outcome })) return false;
  return status >= 400 || outcome?.fault === "client";
}
