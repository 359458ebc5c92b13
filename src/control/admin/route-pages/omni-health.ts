/**
 * omni_proxy's report of health: every engine is asked for `/health` when a client asks. Its names and its layout are
 * those of the original, whose users' tools read them.
 */

import type { PageResponse } from "../../../proxy/request/page-service.ts";
import { omniHealthTimeoutMs, probesAtOnceMax } from "../../limits.ts";
import { type AskEngine, eachOf } from "../../polling/ask-engine.ts";
import type { Endpoint } from "./engine-roles.ts";

/** Under way: engines are asked once, however many clients ask. */
let running: Promise<PageResponse> | undefined;

/** @param nowMs since the epoch */
export function omniHealth(
  endpoints: readonly Endpoint[],
  askEngine: AskEngine,
  nowMs: number,
): Promise<PageResponse> {
  running ??= askAll(endpoints, askEngine, nowMs).finally(() => {
    running = undefined;
  });
  return running;
}

async function askAll(
  endpoints: readonly Endpoint[],
  askEngine: AskEngine,
  nowMs: number,
): Promise<PageResponse> {
  const well = new Set<Endpoint>();
  await eachOf(endpoints, probesAtOnceMax, async (endpoint) => {
    const asked = await askEngine(endpoint.address, "/health", { timeoutMs: omniHealthTimeoutMs });
    if (typeof asked !== "string" && asked.status === 200) well.add(endpoint);
  });
  const report = healthReport(endpoints, (endpoint) => well.has(endpoint), nowMs);
  return {
    // The original says 200 even if nothing can be served.
    status: report.code === 503 ? 503 : 200,
    contentType: "application/json",
    body: `${JSON.stringify(report, null, 4)}\n`,
  };
}

export function healthReport(
  endpoints: readonly Endpoint[],
  isWell: (endpoint: Endpoint) => boolean,
  nowMs: number,
) {
  const prefill = endpoints.filter(({ role }) => role === "prefill");
  const decode = endpoints.filter(({ role }) => role === "decode");
  const wellPrefill = prefill.filter(isWell).length;
  const wellDecode = decode.filter(isWell).length;
  // Without prefill engines, decode engines serve whole requests.
  const serves = wellDecode > 0 && (wellPrefill > 0 || prefill.length === 0);
  const isWhole = endpoints.every(isWell);
  const code = !serves ? 503 : isWhole ? 200 : 206;
  return {
    code,
    status: statuses[code],
    timestamp: localTime(nowMs),
    // Instances that are well, and engines of each: pods are not counted, so that is one.
    summary: `${wellPrefill}P1-${wellDecode}D1`,
    total_prefill_servers: prefill.length,
    health_prefill_servers: wellPrefill,
    total_decode_servers: decode.length,
    health_decode_servers: wellDecode,
    prefill: prefill.map((one) => serverReport(one, isWell(one))),
    decode: decode.map((one) => serverReport(one, isWell(one))),
  };
}

const statuses = {
  200: "OK",
  206: "warn, unhealthy servers exist",
  503: "service failed",
} as const;

function serverReport({ role, index, address }: Endpoint, isWell: boolean) {
  return {
    status: isWell ? "running" : "failed",
    pod_name: "",
    url: address.key,
    role,
    index,
    port: address.port ?? 0,
    fault_message: isWell ? "healthy" : "unhealthy",
    alert: "",
  };
}

/** `YYYY-MM-DD hh:mm:ss`, in the zone of the machine. */
function localTime(ms: number): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${day} ${time}`;
}
