/** The member in which vLLM and its kin describe a KV transfer, in requests and in responses. */

import { KeyName } from "../../body/json/key-name.ts";
import { memberValue } from "../../body/json/member-value.ts";

const openBrace = 0x7b;

export const kvTransferParams: KeyName = new KeyName("kv_transfer_params");

/**
 * The JSON object in a prefill engine's response, as the engine wrote it. Opaque: it differs by connector and by
 * version, and its numbers may be beyond 2^53. Undefined if there is none; an engine that transfers nothing says
 * `null`.
 */
export function takeKvTransferParams(response: Buffer): Buffer | undefined {
  const span = memberValue(response, kvTransferParams);
  if (span === undefined || response[span.start] !== openBrace) return undefined;
  return response.subarray(span.start, span.end);
}
