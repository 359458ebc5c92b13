/** A prefill engine's response, a 2xx, and what it comes to: a KV transfer, a response for the client, or a failure. */
import type { KeyName } from "../../../body/json/key-name.ts";
import type { RouteConfig } from "../../../config/schema/schema.ts";
import type { Dialect, FinalReply, KvTransfer } from "../../../dialects/dialect.ts";
import { kvTransferParams } from "../../../dialects/shared/kv-transfer-params.ts";
import { CollectedBody } from "../../response/body/collected-body.ts";
import { jsonFault } from "../../response/body/json-fault.ts";
import type { ResponseFault } from "../../upstream/connection/engine-failure.ts";

interface PrefillResult {
  /** Ends the request: decode has nothing to add. */
  readonly reply?: FinalReply;
  /** The response names no KV cache, and decode has to compute the prompt. */
  readonly isMissing: boolean;
  /** Why the prefill has failed; "" = it has not. */
  readonly fault: string;
}

const done: PrefillResult = Object.freeze({ isMissing: false, fault: "" });
const missing: PrefillResult = Object.freeze({ isMissing: true, fault: "" });
const noTransfer = "its response names no KV cache";

export class PrefillBody extends CollectedBody {
  /** Of the last `read`. */
  result: PrefillResult = done;
  /** No other prefill is to be tried. */
  isFinal = false;

  /**
   * Has the dialect read the whole response.
   * @param kv is told of a response that names no KV cache, and says what is done about it; undefined = decode computes
   *   the prompt
   * @returns why the prefill has failed; undefined = it has not
   */
  read(
    transfer: KvTransfer,
    dialect: Dialect,
    kv: { transferMissing(): RouteConfig["onMissingTransfer"] } | undefined,
  ): ResponseFault | undefined {
    this.result = resultOf(transfer, dialect, this.bytes);
    const rule = (this.result.isMissing && kv?.transferMissing()) || "recompute";
    this.isFinal = rule === "error";
    const fault = rule === "recompute" ? this.result.fault : noTransfer;
    return fault === "" ? undefined : { kind: "invalid", cause: fault };
  }
}

/** Where the dialect has found what it needs, nothing more is looked at: a good response costs no second scan. */
function resultOf(transfer: KvTransfer, dialect: Dialect, response: Buffer): PrefillResult {
  const said = transfer.prefillResponded(response);
  if (said === undefined && dialect.prefillNamesKv === true) return done;
  if (typeof said === "object") return { ...done, reply: said };
  const fault = jsonFault(response, oddParams);
  if (fault !== "") return { ...done, fault };
  if (said === "no-transfer") return { ...done, fault: noTransfer };
  return said === "missing-transfer" ? missing : done;
}

/** `null` = there is no KV cache to fetch. */
function oddParams(textOf: (key: KeyName) => string | undefined): string {
  const params = textOf(kvTransferParams) ?? "null";
  return params === "null" || params.startsWith("{") ? "" : "its kv_transfer_params are no object";
}
