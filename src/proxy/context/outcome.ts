/** What is said of each way in which a request can end. */

/** Whose fault an outcome is. */
export type Fault = "none" | "client" | "encode" | "prefill" | "decode" | "internal";

/** Whether the same request may be sent again: `safe` = nothing was generated for it, `no` = it would fail again. */
export type Retry = "no" | "safe" | "may-repeat-work";

export interface Outcome {
  /** Stable; in the error body, and as `$outcome` in the access log. */
  readonly code: string;
  /** 0 = no response can be sent (any more): the connection is closed. */
  readonly status: number;
  readonly fault: Fault;
  readonly retry: Retry;
  /** For the client. Never quotes a prompt or names an engine. */
  readonly message: string;
  /** The error body is as an engine's own would be; undefined = it has the code. */
  readonly likeEngine?: { readonly type: string; readonly param: string | null };
  /** By which an error page is found, if not by the status. */
  readonly pageStatus?: number;
  /** The rest of the request is not read. */
  readonly endsConnection?: boolean;
  /** Where OpenAI has a code of its own for it, what clients read. */
  readonly asOpenAi?: { readonly type: string; readonly param: string; readonly code: string };
}

/** One line of the table. */
export function outcome(
  code: string,
  status: number,
  fault: Fault,
  retry: Retry,
  message: string,
): Outcome {
  return Object.freeze({ code, status, fault, retry, message });
}
