/** vLLM's NixlConnector: the prefill engine holds the KV cache and responds where it is; decode gets that verbatim. */

import { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";
import {
  type DialectRequest,
  defineDialect,
  type EngineInfo,
  type Engines,
  type KvTransfer,
} from "../dialect.ts";
import { kvTransferParams, takeKvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember, replaceMember } from "../shared/members.ts";
import { askForOneToken } from "../shared/one-token.ts";
import { hasSeveralOutputs } from "../shared/several-outputs.ts";
import { byConnector, vllmFamily } from "./family.ts";
import { vllmResponses } from "./responses.ts";

/**
 * As vLLM's own proxy writes them (`toy_proxy_server.py`): nulls say that there is nothing to fetch for the prefill
 * itself.
 */
const prefillParams = Buffer.from(
  '{"do_remote_decode":true,"do_remote_prefill":false,"remote_engine_id":null,"remote_block_ids":null,' +
    '"remote_host":null,"remote_port":null}',
);
const remoteHost = new KeyName("remote_host");

export const vllmNixl = defineDialect({
  name: "vllm-nixl",
  summary: "vLLM with NixlConnector: decode reads the KV cache that the prefill engine holds",
  family: vllmFamily,
  page: "vllm-nixl",
  transferFields: [kvTransferParams.text],
  overview: {
    prefill: "one token, `do_remote_decode`",
    decode: "`kv_transfer_params` of the prefill's response, verbatim",
    idsFrom: "engine",
  },
  attributes: {
    remote_host: {
      of: "prefill",
      meaning: "replaces `remote_host` in its response; `address` = the engine's own host",
      default: "the response stays as it is",
    },
  },
  detection: { ...byConnector(/^Nixl(Pull)?Connector$/), ofFamily: "assumed" },
  order: "prefill-first",
  prefillNamesKv: true,
  // No endpoint frees held KV. A decode engine whose request goes away does (`pull_scheduler.request_finished`).
  release: {
    by: "cancelled-decode",
    how: "decode's request, cancelled",
    lease: "30 s (`kv_lease_duration`); older vLLM 480 s",
  },
  merge: vllmResponses,
  supports: (request) => !hasSeveralOutputs(request),
  strip: (members, edits) => removeMember(members, edits, kvTransferParams),
  beginTransfer: (request) => new NixlTransfer(request),
});

class NixlTransfer implements KvTransfer {
  readonly #request: DialectRequest;
  #params: Buffer | undefined;

  constructor(request: DialectRequest) {
    this.#request = request;
  }

  prefillEdits(edits: Edits): void {
    // Older engines transfer nothing for a text that ends with its first token.
    askForOneToken(this.#request, edits, "must-not-end-the-text");
    removeMember(this.#request.members, edits, kvTransferParams);
    edits.appendMember(kvTransferParams, prefillParams);
  }

  prefillResponded(response: Buffer): "missing-transfer" | undefined {
    this.#params = takeKvTransferParams(response);
    return this.#params === undefined ? "missing-transfer" : undefined;
  }

  decodeEdits(edits: Edits, { prefill }: Engines): void {
    removeMember(this.#request.members, edits, kvTransferParams);
    if (this.#params === undefined) return;
    edits.appendMember(kvTransferParams, atHost(this.#params, prefill));
  }
}

/**
 * The parameters with another `remote_host`, if the attribute of that name is set: engines without
 * `VLLM_NIXL_SIDE_CHANNEL_HOST` say `localhost`. `address` stands for the host by which the proxy reaches the engine.
 */
function atHost(params: Buffer, { attributes, host }: EngineInfo): Buffer {
  const wanted = attributes["remote_host"];
  if (wanted === undefined) return params;
  if (scanTopLevel(params, 0, params.length, paramMembers) !== undefined) return params;
  const value = Buffer.from(JSON.stringify(wanted === "address" ? host : wanted));
  paramEdits.start(paramMembers);
  replaceMember(paramMembers, paramEdits, remoteHost, value);
  const out = Buffer.allocUnsafe(paramEdits.byteLength);
  paramEdits.writeTo(out, 0);
  paramEdits.clear();
  paramMembers.clear();
  return out;
}

/** Shared: used within one call, and not those of the body, which is being edited meanwhile. */
const paramMembers = new TopLevel();
const paramEdits = new Edits();
