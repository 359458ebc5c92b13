/** omni_proxy's gauges: what is at each engine, and how many requests are in each phase. */
import type { Exposition } from "../../../observe/metrics/exposition.ts";
import { omniMetrics, omniPhases } from "../../../observe/metrics/omni-definitions.ts";
import type { Scoreboard } from "../../../scoreboard/scoreboard.ts";
import type { Endpoint } from "./engine-roles.ts";

/** @param waiting requests that wait for a prefill engine, and for a decode engine */
export function writeOmni(
  out: Exposition,
  endpoints: readonly Endpoint[],
  waiting: { readonly prefill: number; readonly decode: number },
): void {
  const running = { prefill: 0, decode: 0 };
  for (const role of ["prefill", "decode"] as const) {
    const ones = endpoints.filter((endpoint) => endpoint.role === role);
    const requests = out.family(omniMetrics[`${role}Requests`]);
    for (const one of ones) {
      const count = sum(one, (board, slot) => board.inFlight(slot));
      running[role] += count;
      requests.add({ endpoint: one.address.key, role }, count);
    }
    const tokens = out.family(omniMetrics[`${role}Tokens`]);
    for (const one of ones) {
      const count = sum(one, (board, slot) =>
        role === "prefill"
          ? board.promptTokens(slot)
          : board.promptTokens(slot) + board.responseTokens(slot),
      );
      tokens.add({ endpoint: one.address.key, role }, count);
    }
  }
  const counts: Partial<Record<(typeof omniPhases)[number], number>> = {
    PHASE_PREFILL_WAITING_SCHEDULE: waiting.prefill,
    PHASE_PREFILLING: running.prefill,
    PHASE_DECODE_WAITING_SCHEDULE: waiting.decode,
    PHASE_DECODING: running.decode,
  };
  const phases = out.family(omniMetrics.phases);
  for (const phase of omniPhases) phases.add({ phase }, counts[phase] ?? 0);
}

function sum({ engines }: Endpoint, count: (board: Scoreboard, slot: number) => number): number {
  return engines.reduce((total, { pool, engine }) => total + count(pool.board, engine.slot), 0);
}
