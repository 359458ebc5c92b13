/**
 * vLLM-Ascend's layerwise connectors: decode allocates blocks and calls the proxy back (`metaserver`) to say where
 * they are; then prefill writes the KV cache there, layer by layer, and frees it. Sources: vllm-ascend
 * `kv_p2p/mooncake_layerwise_connector.py`, `kv_p2p/layerwise_pull/scheduler.py`,
 * `load_balance_proxy_layerwise_server_example.py`.
 */

import { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import { memberValue } from "../../body/json/member-value.ts";
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";
import { calledPromptsMax } from "../../limits.ts";
import {
  type CallVerdict,
  type DialectRequest,
  defineDialect,
  type KvTransfer,
} from "../dialect.ts";
import { continued } from "../shared/continued/continued.ts";
import { kvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember } from "../shared/members.ts";
import { askForOneToken } from "../shared/one-token.ts";
import { promptsOf } from "../shared/prompt-count.ts";
import { hasSeveralChoices } from "../shared/several-outputs.ts";
import { byConnector, vllmFamily } from "../vllm/family.ts";
import { vllmResponses } from "../vllm/responses.ts";

const requestIdKey = new KeyName("request_id");
const batchParams = new KeyName("batch_kv_transfer_params");
const colon = Buffer.from(":");
const comma = Buffer.from(",");

export const vllmAscendLayerwise = defineDialect({
  name: "vllm-ascend-layerwise",
  summary: "vLLM-Ascend's layerwise connectors: prefill writes each layer into decode's memory",
  family: vllmFamily,
  page: "vllm-ascend-layerwise",
  transferFields: [kvTransferParams.text],
  overview: {
    prefill: "the call-back's body",
    decode: "`do_remote_prefill`, `metaserver`",
    idsFrom: "proxy and engine",
  },
  detection: byConnector(/MooncakeLayerwiseConnector/),
  order: "decode-first",
  callsBack: true,
  merge: continued(vllmResponses, false),
  supports: (request) =>
    !hasSeveralChoices(request) && promptsOf(request, calledPromptsMax) <= calledPromptsMax,
  strip: (members, edits) => removeMember(members, edits, kvTransferParams),
  beginTransfer: (request) => new LayerwiseTransfer(request),
});

class LayerwiseTransfer implements KvTransfer {
  readonly #request: DialectRequest;
  /** Both engines find the KV cache by it: two requests with the same id would get each other's. */
  readonly #id: string;
  readonly #prompts: number;
  /** The call-back of each of the engine's requests, one for each prompt, by its id as it stands in JSON. */
  readonly #calls = new Map<string, Buffer>();
  #url = "";

  constructor(request: DialectRequest) {
    this.#request = request;
    this.#id = request.ids.uuid();
    this.#prompts = promptsOf(request, calledPromptsMax);
  }

  requestId(): string {
    return this.#id;
  }

  callbackUrl(url: string): void {
    this.#url = url;
  }

  decodeEdits(edits: Edits): void {
    removeMember(this.#request.members, edits, kvTransferParams);
    const metaserver = JSON.stringify(this.#url);
    const params = `{"do_remote_decode":false,"do_remote_prefill":true,"metaserver":${metaserver}}`;
    edits.appendMember(kvTransferParams, Buffer.from(params));
  }

  calledBack(body: Buffer): CallVerdict {
    const span = memberValue(body, requestIdKey);
    const id = span === undefined ? "" : body.toString("latin1", span.start, span.end);
    if (!id.startsWith('"') || !id.includes(this.#id)) return "invalid";
    // A repetition should be the same; if it is not, the prefill may already run with the first.
    if (!this.#calls.has(id)) this.#calls.set(id, body);
    if (this.#calls.size > this.#prompts) return "invalid";
    return this.#calls.size === this.#prompts ? "complete" : "incomplete";
  }

  prefillEdits(edits: Edits): void {
    askForOneToken(this.#request, edits, "must-not-end-the-text");
    removeMember(this.#request.members, edits, kvTransferParams);
    if (this.#calls.size > 0) edits.appendMember(kvTransferParams, this.#params());
  }

  /** The KV cache is at the decode engine now. */
  prefillResponded(): undefined {
    return undefined;
  }

  /** The call-back of the first of the engine's requests, and if there are several, those of all. */
  #params(): Buffer {
    const calls = [...this.#calls];
    const [, first] = calls.find(([id]) => id.endsWith('-0"')) ?? calls[0]!;
    if (calls.length === 1) return first;
    const each = calls.flatMap(([id, body], index) => [
      ...(index === 0 ? [] : [comma]),
      Buffer.from(id, "latin1"),
      colon,
      body,
    ]);
    return withMember(first, batchParams, Buffer.concat([open, ...each, close]));
  }
}

/** The object with one more member, its other bytes as they are. */
function withMember(object: Buffer, key: KeyName, value: Buffer): Buffer {
  scanTopLevel(object, 0, object.length, paramMembers);
  paramEdits.start(paramMembers);
  paramEdits.appendMember(key, value);
  const out = Buffer.allocUnsafe(paramEdits.byteLength);
  paramEdits.writeTo(out, 0);
  paramEdits.clear();
  paramMembers.clear();
  return out;
}

const open = Buffer.from("{");
const close = Buffer.from("}");
/** Shared: used within one call, and not those of the body, which is being edited meanwhile. */
const paramMembers = new TopLevel();
const paramEdits = new Edits();
