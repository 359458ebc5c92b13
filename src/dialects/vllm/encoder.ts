/**
 * The requests to vLLM's encoders, one for each image, sound or video, and what becomes of their responses (vLLM's
 * `disagg_epd_proxy.py`). Whatever the dialect of prefill and decode, the embeddings go from the encoder to the
 * engine that computes the prompt: over storage that both have, named by the hash of the item, or as the encoder's
 * response says in `ec_transfer_params`.
 */

import { Pieces } from "../../body/edit/pieces.ts";
import type { Edits } from "../../body/edit/splice.ts";
import { KeyName } from "../../body/json/key-name.ts";
import { memberValue, type Span } from "../../body/json/member-value.ts";
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";
import { removeMember } from "../shared/members.ts";

export const ecTransferParams: KeyName = new KeyName("ec_transfer_params");
const model = new KeyName("model");
/** What changes how an item is encoded, and when: everything else is about the response. */
const encodeMembers = [
  new KeyName("mm_processor_kwargs"),
  new KeyName("media_io_kwargs"),
  new KeyName("priority"),
  new KeyName("session_id"),
];

const messagesOpening = Buffer.from('"messages":[{"role":"user","content":[');
const brace = Buffer.from("{");
const comma = Buffer.from(",");
/** If the encoder has a language model, it generates one token only. */
const ending = Buffer.from(']}],"max_tokens":1,"stream":false');
const close = Buffer.from("}");

/**
 * The body of the request to encode one item: the item without any text. Refers to the client's body.
 * @param engineModel the model's name in JSON, if engines have another one than the client
 */
export function encodeBody(members: TopLevel, item: Span, engineModel?: Buffer): Pieces {
  const body = new Pieces();
  body.add(brace);
  const at = members.lastIndexOf(model);
  if (at >= 0) {
    body.add(model.opening.subarray(1));
    body.add(engineModel ?? members.value(at));
    body.add(comma);
  }
  body.add(messagesOpening);
  body.add(members.bytes.subarray(item.start, item.end));
  body.add(ending);
  for (const key of encodeMembers) {
    const index = members.lastIndexOf(key);
    if (index < 0) continue;
    body.add(key.opening);
    body.add(members.value(index));
  }
  body.add(close);
  return body;
}

/** Where the embeddings of one request's items are, as their encoders have reported. */
export class Embeddings {
  /** By item: the members of its encoder's `ec_transfer_params`, byte for byte. */
  readonly #handles: (Buffer | undefined)[] = [];

  /** Reads an encoder's response, whole, which may be referred to. False if it is no JSON object. */
  add(item: number, response: Buffer): boolean {
    if (scanTopLevel(response, 0, response.length, params) !== undefined) return false;
    params.clear();
    // Encoders that share storage with the other engines leave this out, or say null.
    const value = memberValue(response, ecTransferParams);
    if (value === undefined || scanTopLevel(response, value.start, value.end, params) !== undefined)
      return true;
    if (params.count > 0)
      this.#handles[item] = response.subarray(
        params.keyStart(0),
        params.valueEnd(params.count - 1),
      );
    params.clear();
    return true;
  }

  /**
   * Adds it to the request to the engine that computes the prompt. The items themselves stay in the prompt: an
   * embedding that has been evicted is computed again. What a client writes there reaches no engine: it would name
   * the memory that the engine reads.
   */
  edit(members: TopLevel, edits: Edits): void {
    removeMember(members, edits, ecTransferParams);
    const handles = this.#handles.filter((handle) => handle !== undefined);
    if (handles.length === 0) return;
    const joined = handles.flatMap((handle, index) => [index === 0 ? brace : comma, handle]);
    edits.appendMember(ecTransferParams, Buffer.concat([...joined, close]));
  }
}

/** Shared: used within one call. */
const params = new TopLevel();
