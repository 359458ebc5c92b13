/**
 * vLLM's MooncakeConnector: both engines get the request at once and meet by a transfer id; decode finds the prefill
 * engine by its bootstrap server and its engine id. Decode needs nothing of prefill's response. Sources: vllm
 * `examples/disaggregated/mooncake_connector/mooncake_connector_proxy.py`, `v1/mooncake/mooncake_connector.py`.
 */

import type { Edits } from "../../body/edit/splice.ts";
import { type EngineQuestion, pathThatShows, serverInfo } from "../definition.ts";
import {
  type DialectRequest,
  defineDialect,
  type EngineProbe,
  type Engines,
  type KvRelease,
  type KvTransfer,
} from "../dialect.ts";
import {
  bootstrapAttributes,
  bootstrapHostOf,
  bootstrapPortOf,
  bootstrapServer,
} from "../shared/bootstrap-server.ts";
import { memberBytes, textMembers } from "../shared/json-texts.ts";
import { kvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember } from "../shared/members.ts";
import { hasSeveralOutputs } from "../shared/several-outputs.ts";
import { connectorThatShows, vllmFamily } from "./family.ts";
import { askToFetch, askToHold } from "./kv-role.ts";
import { vllmResponses } from "./responses.ts";

const query: EngineQuestion = { path: "/query", port: bootstrapServer };

/**
 * `{"<rank>": {"engine_id": …}}`, another id with each start of the engine.
 * Source: vllm, examples/disaggregated/mooncake_connector/mooncake_connector_proxy.py.
 */
export const engineIdProbe: EngineProbe = {
  ...query,
  legs: ["prefill"],
  needs: ["engine_id"],
  discovered: (response, { dpRank }) => {
    const rank = memberBytes(response, `${Math.max(dpRank, 0)}`);
    return rank === undefined ? {} : textMembers(rank, ["engine_id"]);
  },
};

/** A decode engine whose request goes away sends an empty pull (`request_finished`). */
const mooncakeRelease: KvRelease = {
  by: "cancelled-decode",
  how: "decode's request, cancelled",
  lease: "480 s (`VLLM_MOONCAKE_ABORT_REQUEST_TIMEOUT`)",
};

export const vllmMooncake = defineDialect({
  name: "vllm-mooncake",
  summary: "vLLM with MooncakeConnector: both engines at once, which meet by a transfer id",
  family: vllmFamily,
  page: "vllm-mooncake",
  transferFields: [kvTransferParams.text],
  overview: {
    prefill: "one token, `do_remote_decode`, `transfer_id`",
    decode: "`remote_bootstrap_addr`, `remote_engine_id`, `transfer_id`",
    idsFrom: "proxy",
  },
  attributes: {
    ...bootstrapAttributes(""),
    engine_id: {
      of: "prefill",
      meaning: "the id by which its KV connector knows it",
      default: "discovered from its bootstrap server",
    },
  },
  detection: {
    questions: [serverInfo, query],
    recognise: (responses) =>
      pathThatShows(responses, [query], /"worker_addr"/) ??
      connectorThatShows(responses, /MooncakeConnector/),
  },
  order: "together",
  release: mooncakeRelease,
  merge: vllmResponses,
  probes: [engineIdProbe],
  supports: (request) => !hasSeveralOutputs(request),
  strip: (members, edits) => removeMember(members, edits, kvTransferParams),
  beginTransfer: (request) => new MooncakeTransfer(request),
});

class MooncakeTransfer implements KvTransfer {
  readonly #request: DialectRequest;
  readonly #transferId: string;

  constructor(request: DialectRequest) {
    const { ids } = request;
    this.#request = request;
    this.#transferId = `,"transfer_id":"xfer-${ids.uuid()}"`;
  }

  prefillEdits(edits: Edits): void {
    askToHold(this.#request, edits, this.#transferId);
  }

  prefillResponded(): undefined {
    return undefined;
  }

  decodeEdits(edits: Edits, { prefill }: Engines): void {
    const engineId = prefill.attributes["engine_id"];
    const server = `http://${bootstrapHostOf(prefill)}:${bootstrapPortOf(prefill)}`;
    // Without all three the engine computes the prompt and logs that.
    const where =
      engineId === undefined
        ? undefined
        : `,"remote_bootstrap_addr":${JSON.stringify(server)}` +
          `,"remote_engine_id":${JSON.stringify(engineId)}${this.#transferId}`;
    askToFetch(this.#request.members, edits, where);
  }
}

/**
 * The connector as it was before transfer ids (vLLM until early 2026): engines meet by their ids of the request,
 * which follow from `X-Request-Id`, and decode gets the bootstrap server alone. Source: the same files at vllm
 * 8fc582da and before.
 */
export const vllmMooncakeV0 = defineDialect({
  name: "vllm-mooncake-v0",
  summary: "vLLM with MooncakeConnector before transfer ids",
  family: vllmFamily,
  page: "vllm-mooncake",
  transferFields: [kvTransferParams.text],
  overview: {
    prefill: "one token, `do_remote_decode`",
    decode: "`bootstrap_server_host`, `bootstrap_server_port`",
    idsFrom: "proxy",
  },
  attributes: bootstrapAttributes(""),
  // The reference proxy sends both at once, and if prefill fails, decode waits for 480 s. Either order works.
  order: "prefill-first",
  release: mooncakeRelease,
  merge: vllmResponses,
  supports: (request) => !hasSeveralOutputs(request),
  strip: (members, edits) => removeMember(members, edits, kvTransferParams),
  beginTransfer: (request) => new MooncakeV0Transfer(request),
});

class MooncakeV0Transfer implements KvTransfer {
  readonly #request: DialectRequest;
  /** Not the client's: that may be in use already, and is the same in another attempt. */
  readonly #requestId: string;

  constructor(request: DialectRequest) {
    const { ids } = request;
    this.#request = request;
    this.#requestId = ids.uuid();
  }

  requestId(): string {
    return this.#requestId;
  }

  prefillEdits(edits: Edits): void {
    askToHold(this.#request, edits, "");
  }

  prefillResponded(): undefined {
    return undefined;
  }

  decodeEdits(edits: Edits, { prefill }: Engines): void {
    const host = JSON.stringify(bootstrapHostOf(prefill));
    const where = `,"bootstrap_server_host":${host},"bootstrap_server_port":${bootstrapPortOf(prefill)}`;
    askToFetch(this.#request.members, edits, where);
  }
}
