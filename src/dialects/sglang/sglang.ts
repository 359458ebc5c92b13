/**
 * SGLang: both engines get the request at once and meet by a number, the bootstrap room, at the prefill engine's
 * bootstrap server. Neither gets on without the other. Sources: sglang `disaggregation/mini_lb.py`,
 * `disaggregation/prefill.py`, `managers/io_struct.py`; smg `routers/http/pd_router.rs`.
 */

import type { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import { bootstrapRoomsMax } from "../../limits.ts";
import { type EngineQuestion, pathThatShows, serverInfo } from "../definition.ts";
import {
  type DialectRequest,
  defineDialect,
  type EngineInfo,
  type Engines,
  type KvTransfer,
} from "../dialect.ts";
import {
  bootstrapAttributes,
  bootstrapHostOf,
  bootstrapPortOf,
} from "../shared/bootstrap-server.ts";
import { removeMember } from "../shared/members.ts";
import { askForOnePiece } from "../shared/one-token.ts";
import { batchSize } from "./batch.ts";
import { sglangFamily, sglangRoute, sglangServerInfo } from "./family.ts";
import { sglangResponses } from "./responses.ts";

const bootstrapHost = new KeyName("bootstrap_host");
const bootstrapPort = new KeyName("bootstrap_port");
const bootstrapRoom = new KeyName("bootstrap_room");
const routedRank = new KeyName("routed_dp_rank");
const prefillRank = new KeyName("disagg_prefill_dp_rank");

/**
 * The members that say where an engine gets its KV cache from, or whom it calls, in all of SGLang's versions. Only a
 * proxy may set them.
 */
const transferKeys: readonly KeyName[] = [
  bootstrapHost,
  bootstrapPort,
  bootstrapRoom,
  routedRank,
  prefillRank,
  ...[
    "bootstrap_pair_key",
    "decode_tp_size",
    "data_parallel_rank",
    "data_parallel_rank_decode",
    "pd_rebootstrap_prefill_url",
    "kv_transfer_params",
  ].map((name) => new KeyName(name)),
];

/** The state of the server, under its newer and its older name. */
const infoQuestions: readonly EngineQuestion[] = [serverInfo, { path: "/get_server_info" }];

const roomsEnd = 1n << 63n;

export const sglang = defineDialect({
  name: "sglang",
  summary: "SGLang: both engines at once, which meet in a bootstrap room",
  family: sglangFamily,
  page: "sglang",
  transferFields: transferKeys.map((key) => key.text),
  overview: {
    prefill: "`bootstrap_host`, `_port`, `_room`",
    decode: "the same three, and ranks",
    idsFrom: "proxy",
  },
  attributes: {
    ...bootstrapAttributes("discovered from its `/server_info`, else "),
    dp_size: {
      of: "prefill",
      meaning: "number of its data-parallel ranks",
      default: "discovered from its bootstrap server",
    },
  },
  detection: {
    questions: infoQuestions,
    recognise(responses) {
      const path = pathThatShows(responses, infoQuestions, /"disaggregation_mode"/);
      return path && `disaggregation_mode in ${path}`;
    },
    ofFamily: "certain",
  },
  order: "together",
  merge: sglangResponses,
  probes: [sglangServerInfo, sglangRoute],
  supports: (request) => (batchSize(request) ?? 1) <= bootstrapRoomsMax,
  strip,
  beginTransfer: (request) => new SglangTransfer(request),
});

function strip(members: TopLevel, edits: Edits): void {
  for (const key of transferKeys) removeMember(members, edits, key);
}

class SglangTransfer implements KvTransfer {
  readonly #request: DialectRequest;
  /** A room for each sequence. An engine fails the second sequence in one room. */
  readonly #rooms: readonly bigint[];
  readonly #isBatch: boolean;

  constructor(request: DialectRequest) {
    const size = batchSize(request);
    this.#request = request;
    this.#isBatch = size !== undefined;
    // A larger batch is not supported, so the exchange begins no transfer for it; a client may name any number.
    const length = Math.min(size ?? 1, bootstrapRoomsMax);
    this.#rooms = Array.from({ length }, () => request.ids.integer63());
  }

  /**
   * The client's body, whose limits stay: the engine itself stops after the first token, of which decode begins. Not
   * streamed, so that a prefill that fails has a status: in a stream it would be an event behind a 200.
   */
  prefillEdits(edits: Edits, { prefill }: Engines): void {
    this.#bothEdits(edits, prefill);
    askForOnePiece(this.#request, edits);
    appendRank(edits, routedRank, prefill);
  }

  /** Decode needs nothing of it. */
  prefillResponded(): undefined {
    return undefined;
  }

  decodeEdits(edits: Edits, { prefill, decode }: Engines): void {
    this.#bothEdits(edits, prefill);
    if (decode !== undefined) appendRank(edits, routedRank, decode);
    appendRank(edits, prefillRank, prefill);
  }

  #bothEdits(edits: Edits, prefill: EngineInfo): void {
    strip(this.#request.members, edits);
    const address = JSON.stringify(bootstrapHostOf(prefill));
    edits.appendMember(
      bootstrapHost,
      this.#forEach(() => address),
    );
    edits.appendMember(
      bootstrapPort,
      this.#forEach(() => bootstrapPortOf(prefill)),
    );
    edits.appendMember(
      bootstrapRoom,
      this.#forEach((room) => `${roomAt(room, prefill)}`),
    );
  }

  #forEach(value: (room: bigint) => string): Buffer {
    const values = this.#rooms.map(value).join();
    return Buffer.from(this.#isBatch ? `[${values}]` : values);
  }
}

/** Engines without an explicit rank use `room % dp_size`, on both sides. */
function roomAt(room: bigint, { dpRank, attributes }: EngineInfo): bigint {
  const size = attributes["dp_size"] ?? "";
  if (dpRank < 0 || !/^[1-9]\d{0,5}$/.test(size)) return room;
  const ranks = BigInt(size);
  const moved = room - (room % ranks) + (BigInt(dpRank) % ranks);
  return moved < roomsEnd ? moved : moved - ranks;
}

function appendRank(edits: Edits, key: KeyName, { dpRank }: EngineInfo): void {
  if (dpRank >= 0) edits.appendMember(key, Buffer.from(`${dpRank}`));
}
