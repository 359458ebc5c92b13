/**
 * llm-d's decode-first: decode gets a `cache_hit_threshold`, and returns a prompt of which it has too little cached.
 * Then a prefill puts the KV cache where decode finds it, as in shared storage, and decode gets the request again,
 * with a threshold of 0.
 */

import type { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { TopLevel } from "../../body/json/top-level.ts";
import {
  type DecodeInspection,
  type DialectRequest,
  defineDialect,
  type Engines,
  type KvTransfer,
} from "../dialect.ts";
import { generatingAt, hasChoices } from "../endpoints/find-endpoint.ts";
import { kvTransferParams } from "../shared/kv-transfer-params.ts";
import { removeMember, setMember } from "../shared/members.ts";
import { askForOneToken } from "../shared/one-token.ts";
import { cacheHitThreshold, ThresholdInspector } from "./cache-hit-threshold.ts";
import { vllmFamily } from "./family.ts";
import { vllmResponses } from "./responses.ts";

/** The share of the prompt that decode must have cached, unless the client or the engine's attribute says another. */
const defaultThreshold = "0.8";
const share = /^(?:0(?:\.\d+)?|1(?:\.0+)?)$/;
const none = Buffer.from("0");

const echo = new KeyName("echo");
const promptLogprobs = new KeyName("prompt_logprobs");

export const cacheThreshold = defineDialect({
  name: "cache-threshold",
  summary: "llm-d's decode first: a prefill only if decode has too little of the prompt cached",
  family: vllmFamily,
  page: "cache-threshold",
  transferFields: [kvTransferParams.text],
  overview: {
    prefill: "one token, `cache_hit_threshold` 0",
    decode: "`cache_hit_threshold`",
    idsFrom: "nobody",
  },
  attributes: {
    cache_hit_threshold: {
      of: "decode",
      meaning: "share of the prompt that must be cached for decode to serve it alone, 0 to 1",
      default: defaultThreshold,
    },
  },
  order: "decode-first",
  merge: vllmResponses,
  supports,
  strip: computeAll,
  beginTransfer: (request) => new ThresholdTransfer(request),
});

class ThresholdTransfer implements KvTransfer {
  readonly #request: DialectRequest;
  #inspect = new ThresholdInspector();
  #isPrefilled = false;

  constructor(request: DialectRequest) {
    this.#request = request;
  }

  prefillEdits(edits: Edits): void {
    askForOneToken(this.#request, edits);
    computeAll(this.#request.members, edits);
  }

  prefillResponded(): undefined {
    this.#isPrefilled = true;
    return undefined;
  }

  decodeEdits(edits: Edits, { decode }: Engines): void {
    this.#inspect = new ThresholdInspector();
    if (this.#isPrefilled) {
      computeAll(this.#request.members, edits);
      return;
    }
    removeMember(this.#request.members, edits, kvTransferParams);
    const said = this.#request.members.lastIndexOf(cacheHitThreshold);
    // Of all JSON values only `null` begins with an n.
    if (said >= 0 && this.#request.members.value(said)[0] !== 0x6e) return;
    const attribute = decode?.attributes["cache_hit_threshold"] ?? "";
    const threshold = share.test(attribute) ? attribute : defaultThreshold;
    setMember(this.#request.members, edits, cacheHitThreshold, Buffer.from(threshold));
  }

  inspectDecode(body: Buffer, isComplete: boolean): DecodeInspection {
    return this.#inspect.look(body, isComplete);
  }
}

/** Not with outputs of the prompt itself: engines return those however little of the prompt is cached. */
function supports({ members, path }: DialectRequest): boolean {
  const isInspected = hasChoices(generatingAt(path));
  return isInspected && members.indexOf(echo) < 0 && members.indexOf(promptLogprobs) < 0;
}

/** Has an engine compute whatever is missing, even if the engine has a threshold of its own. */
function computeAll(members: TopLevel, edits: Edits): void {
  removeMember(members, edits, kvTransferParams);
  setMember(members, edits, cacheHitThreshold, none);
}
