/** What a request's response costs its tenant as long as no engine has counted its tokens. */

import { KeyName } from "../../../body/json/key-name.ts";
import { isGenerating } from "../../../dialects/endpoints/endpoint.ts";
import { endpointOf } from "../../../dialects/endpoints/find-endpoint.ts";
import { batchSize } from "../../../dialects/sglang/batch.ts";
import { isTrue } from "../../../dialects/shared/member-facts.ts";
import { tokenLimits } from "../../../dialects/shared/token-limits.ts";
import type { OutputTokens } from "../../../estimates/output-tokens.ts";
import { outcomes } from "../../context/outcomes.ts";
import type { RequestContext } from "../../context/request-context.ts";

const stream = new KeyName("stream");

/** What the body says of the length of its response. */
export interface OutputBounds {
  /** Choices, times prompts. */
  readonly sequences: number;
  /** Most tokens of each; Infinity = as many as the engine likes. */
  readonly cap: number;
}

const unbounded: OutputBounds = { sequences: 1, cap: Number.POSITIVE_INFINITY };

export function outputBounds({ members, path }: RequestContext): OutputBounds {
  const endpoint = endpointOf(path);
  if (members === undefined || endpoint === undefined || !isGenerating(endpoint)) return unbounded;
  const cap = tokenLimits(members, endpoint)?.mostCap ?? Number.POSITIVE_INFINITY;
  return { sequences: batchSize({ members, path }) ?? 1, cap: Math.max(0, cap) };
}

/** Before the request goes to engines: a response of average length. */
export function expectedOutput({ sequences, cap }: OutputBounds, output: OutputTokens): number {
  return Math.ceil(sequences * Math.min(cap, output.expected));
}

/** Its client left, or its time was over: that is no engine's failure. */
export function isCutShort({ outcome }: RequestContext): boolean {
  return (
    outcome === outcomes.clientGone ||
    outcome === outcomes.clientStalled ||
    outcome === outcomes.requestTimeout
  );
}

/**
 * Of a response that nobody has seen, since the request was cut short: what its engine can have generated in the time
 * that it had. Of a stream the events that came were counted.
 */
export function unseenOutput(
  context: RequestContext,
  { sequences, cap }: OutputBounds,
  output: OutputTokens,
): number {
  const { members } = context;
  if (!isCutShort(context) || (members !== undefined && isTrue(members, stream))) return 0;
  return Math.ceil(sequences * Math.min(cap, output.after(decodeMs(context))));
}

/** @param tokens of all sequences */
export function observeOutput(context: RequestContext, tokens: number, output: OutputTokens): void {
  output.observe(tokens / outputBounds(context).sequences, decodeMs(context));
}

/** How long the last engine has had the request; 0 = none that decodes has had it. */
function decodeMs({ decodes, endMs }: RequestContext): number {
  const sentMs = decodes.at(-1)?.sentMs ?? -1;
  return sentMs < 0 ? 0 : endMs - sentMs;
}
