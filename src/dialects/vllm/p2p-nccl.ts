/**
 * vLLM's P2pNcclConnector: the engines know each other by the request id alone. Prefill pushes the KV cache to the
 * decode engine that the id names, and decode waits for it by that id. Sources: vllm
 * `examples/disaggregated/p2p_nccl_xpyd/disagg_proxy_p2p_nccl_xpyd.py`, `v1/p2p/p2p_nccl_connector.py`,
 * `p2p_nccl_engine.py`.
 */

import type { Edits } from "../../body/edit/splice.ts";
import {
  type DialectRequest,
  defineDialect,
  type EngineInfo,
  type Engines,
  type KvTransfer,
} from "../dialect.ts";
import { hostInUrl, portOr } from "../shared/bootstrap-server.ts";
import { kvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember } from "../shared/members.ts";
import { askForOneToken } from "../shared/one-token.ts";
import { hasSeveralOutputs } from "../shared/several-outputs.ts";
import { addressedId, zmqAddress } from "./addressed-id.ts";
import { byConnector, vllmFamily } from "./family.ts";
import { vllmResponses } from "./responses.ts";

/** vLLM's default `kv_port`. */
const defaultPort = "14579";

export const vllmP2pNccl = defineDialect({
  name: "vllm-p2p-nccl",
  summary:
    "vLLM with P2pNcclConnector: prefill pushes to the decode engine that the request id names",
  family: vllmFamily,
  page: "vllm-p2p-nccl",
  transferFields: [kvTransferParams.text],
  overview: {
    prefill: "one token; both ZMQ addresses in `X-Request-Id`",
    decode: "the same `X-Request-Id`",
    idsFrom: "proxy",
  },
  attributes: {
    zmq_address: zmqAddress,
    kv_port: {
      of: "both",
      meaning: "port of its KV connector",
      default: defaultPort,
    },
  },
  detection: byConnector(/P2pNcclConnector/),
  order: "prefill-first",
  choosesDecodeFirst: true,
  // The decode engine holds what was pushed, layer by layer, until a request with that id has ended there.
  release: {
    by: "cancelled-decode",
    holdsEarly: true,
    how: "decode's request, cancelled",
    lease: "until the decode engine restarts",
  },
  // Without such an id the engine raises an error in its forward pass, not only in the request.
  requiresPrefill: true,
  merge: vllmResponses,
  supports: (request) => !hasSeveralOutputs(request),
  strip: (members, edits) => removeMember(members, edits, kvTransferParams),
  beginTransfer: (request) => new P2pTransfer(request),
});

class P2pTransfer implements KvTransfer {
  readonly #request: DialectRequest;
  readonly #uuid: string;

  constructor(request: DialectRequest) {
    this.#request = request;
    this.#uuid = request.ids.uuid();
  }

  requestId(engines: Engines): string {
    return addressedId(engines, addressOf, this.#uuid);
  }

  prefillEdits(edits: Edits): void {
    askForOneToken(this.#request, edits);
    removeMember(this.#request.members, edits, kvTransferParams);
  }

  /** Its end says that the KV cache is on its way. */
  prefillResponded(): undefined {
    return undefined;
  }

  decodeEdits(edits: Edits): void {
    removeMember(this.#request.members, edits, kvTransferParams);
  }
}

function addressOf({ host, attributes }: EngineInfo): string {
  return `${hostInUrl(host)}:${portOr(attributes["kv_port"], defaultPort)}`;
}
