/** omni_proxy's broadcast: the client's request goes to every engine, and what each says becomes one list. */
import type { PageRequest, PageResponse } from "../../../proxy/request/page-service.ts";
import {
  broadcastReadBytesMax,
  broadcastResponseBytesMax,
  broadcastTimeoutMsMax,
} from "../../limits.ts";
import type { AskEngine } from "../../polling/ask-engine.ts";
import { askEngines, type EngineReply } from "../broadcast.ts";
import { adminProblem } from "../response.ts";
import type { Endpoint } from "./engine-roles.ts";

/** Also to engines that are ejected: they are to have the same state when they come back. */
export async function omniBroadcast(
  endpoints: readonly Endpoint[],
  { method, uri, path, contentType, body, timeoutMs }: PageRequest,
  askEngine: AskEngine,
  nowMs: () => number,
): Promise<PageResponse> {
  const request = {
    method,
    path: uri,
    headers: contentType === "" ? {} : { "content-type": contentType },
    body: body.length === 0 ? undefined : Buffer.from(body),
    timeoutMs: Math.min(timeoutMs, broadcastTimeoutMsMax),
    bytesMax: broadcastReadBytesMax,
  };
  const replies = await askEngines(
    endpoints.map(({ address }) => address),
    request,
    askEngine,
    nowMs,
  );
  if (replies === undefined) return tooMany;
  const results = endpoints.map((endpoint, at) => resultOf(endpoint, replies[at]!));
  const success = results.filter(({ ok }) => ok).length;
  const summary = { total: results.length, success, failed: results.length - success };
  return {
    // The original says 200 whatever has come of it.
    status: success > 0 ? 200 : 502,
    contentType: "application/json",
    body: `${JSON.stringify({ uri: path, results, summary })}\n`,
  };
}

const { status, contentType, body } = adminProblem(
  503,
  "too_many_broadcasts",
  "other broadcasts are under way: try again later",
);
const tooMany: PageResponse = { status, contentType, body: String(body) };

function resultOf({ role, index, address }: Endpoint, reply: EngineReply) {
  const { status: said = 502, body: bytes } = reply;
  return {
    type: role,
    index,
    address: address.key,
    ok: said >= 200 && said < 300,
    status: said,
    body: bytes?.toString("utf8", 0, broadcastResponseBytesMax) ?? "",
  };
}
