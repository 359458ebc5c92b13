/** What can be made to go wrong in an engine, by switch or at run time, and how often it still will. */

import { z } from "zod";
import { isInferencePath } from "../endpoints/registry.ts";

export const faultKinds = [
  "refuse",
  "accept-then-close",
  "reset-before-headers",
  "reset-after-headers",
  "reset-after-chunks",
  "end-after-chunks",
  "error-after-chunks",
  "stall",
  "status",
  "slow",
  "wrong-json",
  "no-kv-params",
] as const;

const count = z.int().min(0);

/** The body of `POST /debug/fault`. Unknown keys are refused, so that a misspelt one does not pass for a fault. */
export const faultSchema = z.strictObject({
  kind: z.enum(faultKinds),
  /** How many requests (for `accept-then-close`: connections) it strikes; without it, all. */
  times: z.int().min(1).optional(),
  /** Beginning of the paths it strikes; without it, those of inference. Never those under `/debug`. */
  path: z.string().min(1).optional(),
  /** Events of a stream that still go out: for `*-after-chunks` (default 1) and `stall`. `stall` without it sends nothing at all, 0 sends the head. */
  chunks: count.optional(),
  /** Status of the answer: for `status`. */
  code: z.int().min(200).max(599).default(500),
  /** How long the answer is put off: for `slow`. */
  delayMs: count.default(1_000),
  /** How long it lasts: for `refuse` and `accept-then-close`; without it, until it is cleared. */
  durationMs: z.int().min(1).optional(),
  /** Whether a reset is a TCP RST or a FIN in the middle of the answer. */
  how: z.enum(["rst", "fin"]).default("rst"),
  /** For `wrong-json`: the answer's first half, or text that is no JSON at all. */
  variant: z.enum(["truncated", "text"]).default("truncated"),
});

export type Fault = z.output<typeof faultSchema>;
export type FaultInput = z.input<typeof faultSchema>;
export type FaultKind = Fault["kind"];

/** What a first value without a key means, per kind: `status:503` = `status:code=503`. */
const mainKey: { readonly [kind in FaultKind]?: keyof Fault } = {
  refuse: "durationMs",
  "accept-then-close": "durationMs",
  "reset-after-chunks": "chunks",
  "end-after-chunks": "chunks",
  "error-after-chunks": "chunks",
  stall: "chunks",
  status: "code",
  slow: "delayMs",
  "wrong-json": "variant",
};

/** Reads `kind[:key=value,…]`. Throws an Error that says what is wrong with it. */
export function parseFault(spec: string): Fault {
  const colon = spec.indexOf(":");
  const kind = colon < 0 ? spec : spec.slice(0, colon);
  const fields: Record<string, unknown> = { kind };
  for (const part of colon < 0 ? [] : spec.slice(colon + 1).split(",")) {
    const equals = part.indexOf("=");
    const key = equals < 0 ? mainKey[kind as FaultKind] : part.slice(0, equals);
    const value = equals < 0 ? part : part.slice(equals + 1);
    if (key === undefined || value === "")
      throw new Error(`fault "${spec}": "${part}" is no key=value`);
    fields[key] = /^\d+$/.test(value) ? Number(value) : value;
  }
  return checkFault(fields);
}

/** Throws an Error that says what is wrong with it. */
export function checkFault(input: unknown): Fault {
  const result = faultSchema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const where = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  throw new Error(`fault: ${where}${issue.message}`);
}

/** The faults in force, in the order in which they were set. */
export class FaultBook {
  readonly #faults: { readonly fault: Fault; left: number; readonly endsAtMs: number }[] = [];

  set(fault: Fault, nowMs: number): void {
    const endsAtMs = nowMs + (fault.durationMs ?? Number.POSITIVE_INFINITY);
    this.#faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY, endsAtMs });
  }

  clear(): void {
    this.#faults.length = 0;
  }

  list(nowMs: number): Fault[] {
    this.#expire(nowMs);
    return this.#faults.map(({ fault, left }) =>
      Number.isFinite(left) ? { ...fault, times: left } : fault,
    );
  }

  /** The first fault that strikes a request to this path; it counts as having struck. */
  takeForRequest(path: string): Fault | undefined {
    if (this.#faults.length === 0) return undefined;
    return this.#take(
      (fault) =>
        fault.kind !== "refuse" && fault.kind !== "accept-then-close" && strikes(fault, path),
    );
  }

  takeForConnection(nowMs: number): Fault | undefined {
    this.#expire(nowMs);
    return this.#take((fault) => fault.kind === "accept-then-close");
  }

  refuses(nowMs: number): boolean {
    this.#expire(nowMs);
    return this.#faults.some(({ fault }) => fault.kind === "refuse");
  }

  #take(wanted: (fault: Fault) => boolean): Fault | undefined {
    const index = this.#faults.findIndex(({ fault }) => wanted(fault));
    const found = this.#faults[index];
    if (found === undefined) return undefined;
    found.left--;
    if (found.left <= 0) this.#faults.splice(index, 1);
    return found.fault;
  }

  #expire(nowMs: number): void {
    for (let index = this.#faults.length - 1; index >= 0; index--) {
      if (this.#faults[index]!.endsAtMs <= nowMs) this.#faults.splice(index, 1);
    }
  }
}

function strikes(fault: Fault, path: string): boolean {
  if (path.startsWith("/debug")) return false;
  if (fault.path === undefined) return isInferencePath(path);
  return path.startsWith(fault.path);
}
