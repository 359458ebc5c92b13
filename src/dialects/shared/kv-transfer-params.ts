/** The field in which vLLM and its kin carry a hand-off, in requests and in answers. */

import { KeyName } from "../../body/json/key-name.ts";
import { memberValue } from "../../body/json/member-value.ts";

export const kvTransferParams: KeyName = new KeyName("kv_transfer_params");

/**
 * The JSON value in a prefill engine's answer, as the engine wrote it. Opaque: it differs by connector and by version, and its
 * numbers may be beyond 2^53. Undefined when there is none; `null` is how an engine says that it hands over nothing.
 */
export function takeKvTransferParams(response: Buffer): Buffer | undefined {
  const span = memberValue(response, kvTransferParams);
  // Of all JSON values only `null` begins with an n.
  if (span === undefined || response[span.start] === 0x6e) return undefined;
  return response.subarray(span.start, span.end);
}
