/**
 * TensorRT-LLM. Context first: the context server computes the prompt and the first token, and responds where both
 * are; the generation server gets that. Generation first: both get the request at once and meet by an id; the context
 * server begins when the generation server has asked it. Sources: TensorRT-LLM `serve/openai_disagg_service.py`,
 * `serve/openai_protocol.py`, `disaggregated_params.py`; AIBrix `engine/trtllm.go`.
 */

import type { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import { type EngineAttribute, pathThatShows, serverInfo } from "../definition.ts";
import {
  type DialectRequest,
  defineDialect,
  type Engines,
  type FinalReply,
  type IdGenerator,
  type KvRelease,
  type KvTransfer,
  type LegName,
} from "../dialect.ts";
import { chatCompletions } from "../endpoints/endpoints.ts";
import { generatingAt, hasChoices } from "../endpoints/find-endpoint.ts";
import { kvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember, setMember } from "../shared/members.ts";
import { askForOnePiece } from "../shared/one-token.ts";
import { hasSeveralOutputs } from "../shared/several-outputs.ts";
import { disaggregatedParams, readContext } from "./context.ts";
import { trtllmFamily, trtllmServerInfo } from "./family.ts";
import { finalReplyOf } from "./final.ts";
import { trtllmResponses } from "./responses.ts";
import { signatureLine } from "./signature.ts";

const prompt = new KeyName("prompt");
const promptTokenIds = new KeyName("prompt_token_ids");
const promptTokenIdsB64 = new KeyName("prompt_token_ids_b64");

/** Ids below are an engine's own: 2^40 in TensorRT-LLM's `disagg_utils.py`, 2^42 in earlier ones, as AIBrix has it. */
const idsStart = 1n << 42n;
/** Nobody on the way can take an id below for another one, not even with doubles. */
const idsEnd = 1n << 53n;

/** `DisaggScheduleStyle` is a number in JSON. */
const generationFirst = `"schedule_style":1`;

const authKey: EngineAttribute = {
  of: "decode",
  meaning: "its `internal_request_auth_key`, by which the proxy signs requests",
  default: "nothing is signed",
};

/** No request that a proxy could send says that a context is not wanted any more. */
const contextRelease: KvRelease = {
  by: "nothing",
  how: "nothing that a proxy could send",
  lease: "60 s (`kv_transfer_timeout_ms`)",
};

export const trtllm = defineDialect({
  name: "trtllm",
  summary: "TensorRT-LLM, context first: decode gets the context server's `disaggregated_params`",
  family: trtllmFamily,
  page: "trtllm",
  transferFields: [disaggregatedParams.text, kvTransferParams.text],
  overview: {
    prefill: "`disaggregated_params`: context_only",
    decode: "those of the response: generation_only, and `prompt_token_ids`",
    idsFrom: "proxy and engine",
  },
  attributes: { internal_request_auth_key: authKey },
  detection: {
    questions: [serverInfo],
    recognise(responses) {
      const path = pathThatShows(responses, [serverInfo], /"disaggregated_params"/);
      return path && `disaggregated_params in ${path}`;
    },
    ofFamily: "certain",
  },
  order: "prefill-first",
  prefillNamesKv: true,
  release: contextRelease,
  merge: trtllmResponses,
  supports,
  strip,
  beginTransfer: (request) => new ContextFirst(request),
});

export const trtllmGenFirst = defineDialect({
  name: "trtllm-gen-first",
  summary: "TensorRT-LLM, generation first: both servers at once, which meet by an id",
  family: trtllmFamily,
  page: "trtllm",
  transferFields: [disaggregatedParams.text, kvTransferParams.text],
  overview: {
    prefill: "`disaggregated_params`: context_only",
    decode: "generation_only, `ctx_request_id`",
    idsFrom: "proxy",
  },
  attributes: {
    internal_request_auth_key: authKey,
    ctx_info_endpoint: {
      of: "prefill",
      meaning: "where generation servers ask for the context server's ranks",
      default: "discovered from its `/server_info`",
    },
    ctx_dp_rank: {
      of: "prefill",
      meaning: "its only data-parallel rank",
      default: "discovered from its `/server_info`",
    },
  },
  order: "together",
  release: contextRelease,
  merge: trtllmResponses,
  probes: [trtllmServerInfo],
  supports,
  strip,
  beginTransfer: (request) => new GenerationFirst(request),
});

/** Other endpoints do not know the field. A context server returns one choice for one prompt. */
function supports(request: DialectRequest): boolean {
  return hasChoices(generatingAt(request.path)) && !hasSeveralOutputs(request);
}

function strip(members: TopLevel, edits: Edits): void {
  removeMember(members, edits, disaggregatedParams);
  // Of other families; these engines refuse what they do not know.
  removeMember(members, edits, kvTransferParams);
}

function newId(ids: IdGenerator): bigint {
  return idsStart + (ids.integer63() % (idsEnd - idsStart));
}

/**
 * The client's body in one piece. Its limits stay, as in TensorRT-LLM's own orchestrator: a context server stops
 * after the first token whatever they are, says by `finish_reason` whether the client wanted more, and samples that
 * token by them.
 */
function contextEdits(request: DialectRequest, edits: Edits, params: string): void {
  strip(request.members, edits);
  askForOnePiece(request, edits);
  edits.appendMember(disaggregatedParams, Buffer.from(params));
}

function signed(leg: LegName, { decode }: Engines, params: Buffer | undefined): string {
  if (leg === "prefill" || params === undefined) return "";
  return signatureLine(decode?.attributes["internal_request_auth_key"], params);
}

class ContextFirst implements KvTransfer {
  readonly #request: DialectRequest;
  readonly #id: bigint;
  #params: Buffer | undefined;
  /** A list of numbers, and its other form, a text. */
  #promptIds: Buffer | undefined;
  #promptIdsB64: Buffer | undefined;

  constructor(request: DialectRequest) {
    this.#request = request;
    this.#id = newId(request.ids);
  }

  /** No `schedule_style`: context first is the default, and an older engine rejects a field that it does not know. */
  prefillEdits(edits: Edits): void {
    const params = `{"request_type":"context_only","disagg_request_id":${this.#id}}`;
    contextEdits(this.#request, edits, params);
  }

  prefillResponded(response: Buffer): FinalReply | "no-transfer" | undefined {
    const context = readContext(response);
    if (context === undefined) return "no-transfer";
    if (context.isFinal) return finalReplyOf(this.#request, response, context);
    this.#params = context.generationParams;
    this.#promptIds = context.promptIds;
    this.#promptIdsB64 = context.promptIdsB64;
    return this.#params === undefined ? "no-transfer" : undefined;
  }

  decodeEdits(edits: Edits): void {
    const { members, path } = this.#request;
    strip(members, edits);
    if (this.#params === undefined) return;
    edits.appendMember(disaggregatedParams, this.#params);
    // What the context server has made of the prompt. Without it the generation server would tokenize anew.
    if (generatingAt(path) !== chatCompletions) {
      if (this.#promptIds !== undefined) setMember(members, edits, prompt, this.#promptIds);
    } else if (this.#promptIds !== undefined) {
      setMember(members, edits, promptTokenIds, this.#promptIds);
      removeMember(members, edits, promptTokenIdsB64);
    } else if (this.#promptIdsB64 !== undefined) {
      setMember(members, edits, promptTokenIdsB64, this.#promptIdsB64);
      removeMember(members, edits, promptTokenIds);
    }
  }

  headerLines(leg: LegName, engines: Engines): string {
    return signed(leg, engines, this.#params);
  }
}

class GenerationFirst implements KvTransfer {
  readonly #request: DialectRequest;
  readonly #id: bigint;

  constructor(request: DialectRequest) {
    this.#request = request;
    this.#id = newId(request.ids);
  }

  prefillEdits(edits: Edits): void {
    const params = `{"request_type":"context_only","disagg_request_id":${this.#id},${generationFirst}}`;
    contextEdits(this.#request, edits, params);
  }

  /** The first token goes with the KV cache, also when it is the last one. */
  prefillResponded(): undefined {
    return undefined;
  }

  decodeEdits(edits: Edits, engines: Engines): void {
    strip(this.#request.members, edits);
    edits.appendMember(disaggregatedParams, this.#generationParams(engines));
  }

  headerLines(leg: LegName, engines: Engines): string {
    return signed(leg, engines, this.#generationParams(engines));
  }

  #generationParams({ prefill }: Engines): Buffer {
    const { ctx_info_endpoint: endpoint, ctx_dp_rank: rank } = prefill.attributes;
    const ids = `"ctx_request_id":${this.#id},"disagg_request_id":${this.#id}`;
    // Without a rank the generation server asks all of them.
    const ofRank = rank !== undefined && /^\d{1,6}$/.test(rank) ? `,"ctx_dp_rank":${rank}` : "";
    const at = endpoint === undefined ? "" : `,"ctx_info_endpoint":${JSON.stringify(endpoint)}`;
    return Buffer.from(
      `{"request_type":"generation_only",${ids},${generationFirst}${ofRank}${at}}`,
    );
  }
}
