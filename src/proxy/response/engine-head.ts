/** The head of an engine's response as its client gets it. */
import type { ResponseHead } from "../../http1/head/response-head.ts";
import { reasonOf } from "../../http1/reason.ts";
import type { Pool } from "../../pool/pool.ts";
import type { RequestContext } from "../context/request-context.ts";
import type { ResponseRules } from "../routing/response/response-rules.ts";

/**
 * Its first line, and the lines that are passed on.
 * @param requestId for the client; "" = the engine's, if it gives one
 * @param status in place of the engine's; 0 = the engine's
 */
export function engineHead(
  context: RequestContext,
  engine: ResponseHead,
  requestId: string,
  status: number,
  pool: Pool | undefined,
  rules: ResponseRules,
): string {
  const line =
    status === 0
      ? `HTTP/1.1 ${engine.status} ${engine.reason}\r\n`
      : `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`;
  const { fields } = engine;
  return line + rules.linesOfEngine(context, fields, context.status, requestId, pool);
}
