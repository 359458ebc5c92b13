/**
 * vLLM's MoRIIOConnector (AMD), in its two modes. READ: prefill's response says where the KV cache is, and decode
 * reads it. WRITE: both get the request at once, and prefill writes each layer into memory that decode has named. The
 * request id has the addresses of both. Sources: vllm
 * `examples/disaggregated/disaggregated_serving/moriio_toy_proxy_server.py`, `v1/moriio/moriio_common.py`,
 * `moriio_connector.py`.
 */

import type { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import { memberValue } from "../../body/json/member-value.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import {
  type DialectDetection,
  type EngineAttribute,
  type EngineAttributes,
  serverInfo,
} from "../definition.ts";
import {
  type DialectRequest,
  defineDialect,
  type EngineInfo,
  type Engines,
  type KvRelease,
  type KvTransfer,
} from "../dialect.ts";
import { portOr } from "../shared/bootstrap-server.ts";
import { kvTransferParams, takeKvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember } from "../shared/members.ts";
import { hasSeveralOutputs } from "../shared/several-outputs.ts";
import { addressedId, zmqAddress } from "./addressed-id.ts";
import { connectorThatShows, vllmFamily } from "./family.ts";
import { askToFetch, askToHold } from "./kv-role.ts";
import { vllmResponses } from "./responses.ts";

const remoteEngineId = new KeyName("remote_engine_id");
const remoteBlockIds = new KeyName("remote_block_ids");
const defaultHandshakePort = "6301";
const defaultNotifyPort = "61005";

/** For prefill, and for decode if prefill writes: there is no source to be named. */
const nowhere = ',"remote_engine_id":null,"remote_block_ids":null';

const size = (of: string): EngineAttribute => ({
  of: "both",
  meaning: `number of its ${of}-parallel ranks`,
  default: "as the other engine's",
});

const common = {
  family: vllmFamily,
  page: "moriio",
  transferFields: [kvTransferParams.text],
  attributes: {
    zmq_address: zmqAddress,
    handshake_port: {
      of: "both",
      meaning: "port of its KV connector's handshake",
      default: defaultHandshakePort,
    },
    notify_port: {
      of: "both",
      meaning: "port of its KV connector's notifications",
      default: defaultNotifyPort,
    },
    tp_size: size("tensor"),
    dp_size: size("data"),
  } satisfies EngineAttributes,
  // A decode engine takes every prompt as computed elsewhere, with or without a transfer: alone it generates from
  // empty memory.
  requiresPrefill: true,
  release: {
    by: "cancelled-decode",
    how: "decode's request, cancelled",
    lease: "60 s (`defer_timeout`)",
  } satisfies KvRelease,
  merge: vllmResponses,
  supports: (request: DialectRequest) => !hasSeveralOutputs(request),
  strip: (members: TopLevel, edits: Edits) => removeMember(members, edits, kvTransferParams),
};

/** `kv_connector_extra_config` decides: `get_moriio_mode` in vLLM's `moriio_common.py`. */
function inMode(reads: boolean): DialectDetection {
  return {
    questions: [serverInfo],
    recognise(responses) {
      const shown = connectorThatShows(responses, /^MoRIIOConnector$/);
      const isReading = readMode.test(responses.get(serverInfo.path) ?? "");
      return isReading === reads ? shown : undefined;
    },
  };
}

const readMode = /read_mode\\?["']?\s*[:=]\s*\\?["']?(true|1)\b/i;

export const moriioRead = defineDialect({
  ...common,
  name: "moriio-read",
  summary: "vLLM with MoRIIOConnector (AMD) in READ mode: decode reads the KV cache",
  detection: inMode(true),
  overview: {
    prefill: "one token, `transfer_id`; addresses in `X-Request-Id`",
    decode: "`kv_transfer_params` of the prefill's response",
    idsFrom: "proxy",
  },
  order: "prefill-first",
  prefillNamesKv: true,
  // The id that prefill gets names decode.
  choosesDecodeFirst: true,
  beginTransfer: (request) => new ReadTransfer(request),
});

export const moriioWrite = defineDialect({
  ...common,
  name: "moriio-write",
  summary: "vLLM with MoRIIOConnector (AMD) in WRITE mode: prefill writes the KV cache",
  detection: inMode(false),
  overview: {
    prefill: "one token, `transfer_id`; addresses in `X-Request-Id`",
    decode: "`transfer_id`; addresses in `X-Request-Id`",
    idsFrom: "proxy",
  },
  order: "together",
  beginTransfer: (request) => new WriteTransfer(request),
});

class WriteTransfer implements KvTransfer {
  readonly #request: DialectRequest;
  readonly #uuid: string;
  readonly #transferId: string;

  constructor(request: DialectRequest) {
    const { ids } = request;
    this.#request = request;
    this.#uuid = ids.uuid();
    // Engines know a transfer by this prefix.
    this.#transferId = `,"transfer_id":"tx-${ids.uuid()}"`;
  }

  requestId(engines: Engines): string {
    return addressedId(engines, addressOf, this.#uuid);
  }

  prefillEdits(edits: Edits, { decode }: Engines): void {
    const more = `${nowhere}${this.#transferId}${decode === undefined ? "" : sizesOf(decode)}`;
    askToHold(this.#request, edits, more);
  }

  prefillResponded(_response: Buffer): "no-transfer" | undefined {
    return undefined;
  }

  decodeEdits(edits: Edits, { prefill }: Engines): void {
    askToFetch(this.#request.members, edits, this.source() + this.#transferId + peerOf(prefill));
  }

  protected source(): string {
    return nowhere;
  }
}

class ReadTransfer extends WriteTransfer {
  #source = nowhere;

  override prefillResponded(response: Buffer): "no-transfer" | undefined {
    const params = takeKvTransferParams(response);
    const engineId = params && textOf(params, remoteEngineId);
    const blockIds = params && textOf(params, remoteBlockIds);
    if (engineId === undefined || blockIds === undefined) return "no-transfer";
    this.#source = `,"remote_engine_id":${engineId},"remote_block_ids":${blockIds}`;
    return undefined;
  }

  protected override source(): string {
    return this.#source;
  }
}

/** The JSON of a member, as it is written; undefined also for null. */
function textOf(params: Buffer, key: KeyName): string | undefined {
  const span = memberValue(params, key);
  // Of all JSON values only `null` begins with an n.
  if (span === undefined || params[span.start] === 0x6e) return undefined;
  return params.toString("utf8", span.start, span.end);
}

/** Of the other engine, as far as they are known: engines assume their own for the rest. */
function sizesOf({ attributes }: EngineInfo): string {
  return (
    integerMember("remote_dp_size", attributes["dp_size"]) +
    integerMember("remote_tp_size", attributes["tp_size"])
  );
}

function peerOf(prefill: EngineInfo): string {
  const { dpRank, attributes } = prefill;
  const rank = dpRank < 0 ? "" : `,"remote_dp_rank":${dpRank}`;
  // By this name the connector itself reads it.
  return sizesOf(prefill) + integerMember("tp_size", attributes["tp_size"]) + rank;
}

function integerMember(name: string, digits: string | undefined): string {
  return digits !== undefined && /^[1-9]\d{0,5}$/.test(digits) ? `,"${name}":${digits}` : "";
}

function addressOf({ host, attributes }: EngineInfo): string {
  const handshake = portOr(attributes["handshake_port"], defaultHandshakePort);
  const notify = portOr(attributes["notify_port"], defaultNotifyPort);
  return `host:${host},handshake:${handshake},notify:${notify}`;
}
