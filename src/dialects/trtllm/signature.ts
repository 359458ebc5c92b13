/**
 * Shows a TensorRT-LLM generation server that what names memory to read is from a proxy. Servers that were given an
 * `internal_request_auth_key` ask for it (TensorRT-LLM pull request 16002, `serve/disagg_auth.py`).
 */

import { createHmac } from "node:crypto";
import { isNull, memberOf } from "../../body/edit/patches.ts";
import { KeyName } from "../../body/json/key-name.ts";

const endpoint = new KeyName("ctx_info_endpoint");
const opaqueState = new KeyName("encoded_opaque_state");

/** With its CRLF; "" where there is nothing to sign, or no key. `params` are the request's `disaggregated_params`. */
export function signatureLine(key: string | undefined, params: Buffer): string {
  if (key === undefined) return "";
  const [at, state] = [textOf(params, endpoint), textOf(params, opaqueState)];
  if (at === "null" && state === "null") return "";
  const payload = `{"ctx_info_endpoint":${at},"encoded_opaque_state":${state}}`;
  const signature = createHmac("sha256", key).update(payload).digest("hex");
  return `x-trtllm-disagg-auth: sha256=${signature}\r\n`;
}

/** As Python writes it, whatever escapes it came with. */
function textOf(params: Buffer, key: KeyName): string {
  const span = memberOf(params, { start: 0, end: params.length }, key);
  if (span === undefined || isNull(params, span)) return "null";
  const text = JSON.stringify(JSON.parse(params.toString("utf8", span.start, span.end)));
  return text.replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
