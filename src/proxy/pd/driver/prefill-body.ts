/** A prefill engine's response, a 2xx, and what it comes to: a KV transfer, a response for the client, or a failure. */
import { arrayElements } from "../../../body/json/array.ts";
import { KeyName } from "../../../body/json/key-name.ts";
import { scanTopLevel, TopLevel } from "../../../body/json/top-level.ts";
import type { RouteConfig } from "../../../config/schema/schema.ts";
import type { Dialect, FinalReply, KvTransfer } from "../../../dialects/dialect.ts";
import { kvTransferParams } from "../../../dialects/shared/kv-transfer-params.ts";
import { CollectedBody } from "../../response/collected-body.ts";
import type { ResponseFault } from "../../upstream/engine-failure.ts";

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
const errorKey = new KeyName("error");
const objectKey = new KeyName("object");
/** Shared: a call is synchronous and clears it. */
const members = new TopLevel();

export class PrefillBody extends CollectedBody {
  /** Of the last `read`. */
  result: PrefillResult = done;
  /** No other prefill is to be tried. */
  isFinal = false;

  /**
   * Has the dialect read the whole response.
   * @param onMissing what is done about a response that names no KV cache
   * @returns why the prefill has failed; undefined = it has not
   */
  read(
    transfer: KvTransfer,
    dialect: Dialect,
    onMissing: () => RouteConfig["onMissingTransfer"],
  ): ResponseFault | undefined {
    this.result = resultOf(transfer, dialect, this.bytes);
    const rule = this.result.isMissing ? onMissing() : "recompute";
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
  const fault = faultOf(response);
  if (fault !== "") return { ...done, fault };
  if (said === "no-transfer") return { ...done, fault: noTransfer };
  return said === "missing-transfer" ? missing : done;
}

/** Why it is no response to a prefill: an error, a page, an event stream, half of something. "" = it may be one. */
function faultOf(response: Buffer): string {
  // SGLang responds to a batch with a list.
  if (response[0] === 0x5b && arrayElements(response, 0, response.length) !== undefined) return "";
  const problem = scanTopLevel(response, 0, response.length, members);
  if (problem !== undefined) return "its response is not JSON";
  const isError = hasValue(errorKey) || textOf(objectKey) === '"error"';
  const params = textOf(kvTransferParams);
  const isOdd = params !== undefined && params !== "null" && !params.startsWith("{");
  members.clear();
  if (isError) return "its response is an error";
  return isOdd ? "its kv_transfer_params are no object" : "";
}

/** The beginning of a member's JSON: enough to tell what it is. */
function textOf(key: KeyName): string | undefined {
  const at = members.lastIndexOf(key);
  return at < 0 ? undefined : members.value(at).toString("latin1", 0, 16);
}

function hasValue(key: KeyName): boolean {
  const text = textOf(key);
  return text !== undefined && text !== "null";
}
