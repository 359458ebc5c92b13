/** Where the time of a request went, as the segments of one bar: wait, prefill, transfer, decode. */
import type { LegTimes, RequestRecord } from "../../src/proxy/context/explained/request-record.ts";

export type SegmentKind =
  | "proxy"
  | "queue"
  | "encode"
  | "prefill"
  | "failed"
  | "transfer"
  | "decode";

/** In ms since the request arrived. */
export interface Segment {
  readonly kind: SegmentKind;
  readonly fromMs: number;
  readonly toMs: number;
  /** What it is, in words; with the engine where there is one. */
  readonly label: string;
}

const isGood = ({ status, endMs }: LegTimes) => endMs >= 0 && status >= 200 && status < 300;

/** In the order of time, without those that took none; what is between them is the proxy's own. */
export function segmentsOf(request: RequestRecord): Segment[] {
  const { legs, endMs, heldMs, firstByteMs } = request;
  const segments: Segment[] = [];
  const sent = legs.filter(({ sentMs }) => sentMs >= 0);
  const firstSentMs = Math.min(endMs, ...sent.map(({ sentMs }) => sentMs));
  if (heldMs > 0) {
    const fromMs = Math.max(0, firstSentMs - heldMs);
    segments.push({ kind: "queue", fromMs, toMs: fromMs + heldMs, label: "waits in the queue" });
  }
  for (const leg of sent) segments.push(...ofLeg(leg, request));
  const prefill = sent.findLast((one) => one.leg === "prefill" && isGood(one));
  const decode = sent.findLast(({ leg }) => leg === "decode");
  if (prefill !== undefined && decode !== undefined && firstByteMs > prefill.endMs) {
    const label = "KV transfer, and decode's first step";
    segments.push({ kind: "transfer", fromMs: prefill.endMs, toMs: firstByteMs, label });
  }
  return segments
    .filter(({ fromMs, toMs }) => toMs > fromMs)
    .sort((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs);
}

function ofLeg(leg: LegTimes, { endMs, firstByteMs, legs }: RequestRecord): Segment[] {
  const until = leg.endMs >= 0 ? leg.endMs : endMs;
  const where = leg.engine || leg.address;
  if (leg.leg !== "decode") {
    const kind = isGood(leg) ? leg.leg : "failed";
    const what = kind === "failed" ? `${leg.leg} fails` : leg.leg;
    return [{ kind, fromMs: leg.sentMs, toMs: until, label: `${what} at ${where}` }];
  }
  if (
    leg !== legs.findLast((one) => one.leg === "decode") ||
    (leg.status === 0 && firstByteMs < 0)
  ) {
    return [{ kind: "failed", fromMs: leg.sentMs, toMs: until, label: `decode fails at ${where}` }];
  }
  const hasPrefill = legs.some((one) => one.leg === "prefill" && isGood(one));
  // Without a prefill the time to the first byte is decode's own.
  const fromMs = hasPrefill && firstByteMs >= 0 ? Math.max(leg.sentMs, firstByteMs) : leg.sentMs;
  return [{ kind: "decode", fromMs, toMs: until, label: `decode at ${where}` }];
}

/** The largest share of the time until the first byte, in words; "" = nothing stands out. */
export function mainCause(request: RequestRecord): string {
  const { firstByteMs, endMs } = request;
  const before = firstByteMs >= 0 && request.isStream ? firstByteMs : endMs;
  if (before <= 0) return "";
  const spent = new Map<SegmentKind, number>();
  for (const { kind, fromMs, toMs } of segmentsOf(request)) {
    const ms = Math.min(toMs, before) - Math.min(fromMs, before);
    spent.set(kind, (spent.get(kind) ?? 0) + ms);
  }
  const [[kind, ms] = ["proxy", 0] as const] = [...spent].sort((a, b) => b[1] - a[1]);
  if (ms < before * 0.4) return "";
  return causes[kind];
}

const causes: Readonly<Record<SegmentKind, string>> = {
  proxy: "",
  queue: "It mostly waited for a free engine.",
  encode: "Encoding its images took most of it.",
  prefill: "The prefill took most of it.",
  failed: "Engines that failed took most of it.",
  transfer: "The KV transfer and decode's first step took most of it.",
  decode: "Decode took most of it.",
};
