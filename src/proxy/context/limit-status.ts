/** What became of a request at its route's limits, in nginx's words; "" = none has counted it. */
export type LimitStatus =
  | ""
  | "PASSED"
  | "DELAYED"
  | "REJECTED"
  | "DELAYED_DRY_RUN"
  | "REJECTED_DRY_RUN";
