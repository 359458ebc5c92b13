/** The engines of a request's legs, as dialects and messages need them. */
import type { EngineInfo, Engines } from "../../../dialects/dialect.ts";
import { dpRankHeader } from "../../routing/head-plan.ts";
import type { Leg } from "../../upstream/leg.ts";

/** The header line for an engine that is one data-parallel rank of several behind its address. */
export function rankLine({ engine }: Pick<Leg, "engine">): string {
  const rank = engine?.info.dpRank ?? -1;
  return rank < 0 ? "" : `${dpRankHeader}: ${rank}\r\n`;
}

/** Stands for an engine that has not been chosen. */
const nowhere: EngineInfo = Object.freeze({ host: "", port: 0, dpRank: -1, attributes: {} });

export const noEngines: Engines = Object.freeze({ prefill: nowhere, decode: nowhere });

/** Of both legs, as far as they are chosen. */
export function enginesOf(
  prefill: Leg | undefined,
  decode: Leg,
): { readonly prefill: EngineInfo; readonly decode: EngineInfo } {
  return { prefill: prefill?.engine?.info ?? nowhere, decode: decode.engine?.info ?? nowhere };
}
