/**
 * What steers a KV transfer in a client's request: a client that could set it would name the memory that an engine
 * reads, or the host that it calls. On routes that treat requests by their endpoint it reaches no engine, of whatever
 * dialect and endpoint.
 */

import type { Edits } from "../body/edit/splice.ts";
import { someObject } from "../body/json/array.ts";
import { KeyName } from "../body/json/key-name.ts";
import { KeySet } from "../body/json/key-set.ts";
import type { JsonProblem } from "../body/json/problem.ts";
import { spaceEnd } from "../body/json/token-ends.ts";
import { scanTopLevel, TopLevel } from "../body/json/top-level.ts";
import type { HeaderFields } from "../http1/fields/header-fields.ts";
import { unreadableLinesMax } from "../limits.ts";
import { allDialects } from "./registry.ts";
import { ecTransferParams } from "./vllm/encoder.ts";

/** Of all dialects: engines of several may stand behind one proxy, and one engine may have several connectors. */
const transferFields = new KeySet([
  ...allDialects.flatMap((dialect): readonly string[] => dialect.transferFields),
  ecTransferParams.text,
]);

/**
 * Header lines by which schedulers steer engines and their sidecars: llm-d's (`pkg/sidecar/proxy`), the gateway API
 * inference extension's, SGLang's and SMG's, Dynamo's, TensorRT-LLM's (`serve/disagg_auth.py`).
 */
export const transferHeaders: readonly string[] = [
  "X-Data-Parallel-Rank",
  "X-Data-Parallel-Host",
  "X-Data-Parallel-Host-Port",
  "X-Prefiller-Host-Port",
  "X-Prefiller-Url",
  "X-Encoder-Hosts-Ports",
  "X-Gateway-Destination-Endpoint",
  "X-Dp-Rank",
  "X-Prefill-Dp-Rank",
  "X-Worker-Instance-Id",
  "X-Prefill-Instance-Id",
  "X-Decode-Instance-Id",
  "X-Dynamo-Worker-Instance-Id",
  "X-Dynamo-Prefill-Instance-Id",
  "X-Dynamo-Dp-Rank",
  "X-Dynamo-Prefill-Dp-Rank",
  "X-Dynamo-Routing-Mode",
  "X-Smg-Target-Worker",
  "X-Trtllm-Disagg-Auth",
  "EPP-Profile",
  // SGLang's `srt/entrypoints/request_headers.py`: each takes the place of a member of the body.
  "X-Override-Rid",
  "X-Override-Bootstrap-Host",
  "X-Override-Bootstrap-Port",
  "X-Override-Bootstrap-Room",
  "X-Override-Conversation-Id",
  "X-Override-Routed-Dp-Rank",
  "X-Override-Disagg-Prefill-Dp-Rank",
  "X-Override-Priority",
];

/**
 * By which a client says that its body is compressed; the second one is SGLang's
 * (`srt/entrypoints/http_request_decompression.py`).
 */
const encodingHeaders = ["content-encoding", "x-body-compressed"] as const;
const notEncoded = /^(?:identity)?$/i;

/** Whether the body is compressed: what is in it can neither be looked into nor changed. */
export function isEncoded(fields: HeaderFields): boolean {
  return encodingHeaders.some((name) => !notEncoded.test(fields.get(name) ?? ""));
}

/** By which a client of Dynamo's frontend picks its engines (`lib/llm/src/protocols/openai/nvext.rs`). */
const dynamoFields = new KeySet([
  "backend_instance_id",
  "prefill_worker_id",
  "decode_worker_id",
  "dp_rank",
  "prefill_dp_rank",
]);

/**
 * Members with an object in which engines look for such fields: vLLM copies some into the sampling parameters, where
 * its connectors look; Dynamo has an object of its own.
 */
const paths: readonly { readonly path: readonly KeyName[]; readonly fields: KeySet }[] = [
  { path: [new KeyName("vllm_xargs")], fields: transferFields },
  { path: [new KeyName("sampling_params"), new KeyName("extra_args")], fields: transferFields },
  { path: [new KeyName("extra_args")], fields: transferFields },
  { path: [new KeyName("nvext")], fields: dynamoFields },
];

const requestIdKey = new KeyName("request_id");
const bodyKey = new KeyName("body");
/** Where a body without one of these has nothing to hide. */
const hidingPlaces = new KeySet([...paths.map(({ path }) => path[0]!.text), requestIdKey.text]);

/** Takes the fields out of a body. Edits of a dialect come afterwards, and set its own. */
export function removeTransferFields(members: TopLevel, edits: Edits): void {
  let at = members.indexOfAny(transferFields);
  for (; at >= 0; at = members.indexOfAny(transferFields, at + 1)) edits.removeMember(at);
}

/** Whether the body has such a field in a place where it cannot be taken out, and where engines look nevertheless. */
export function hidesTransferFields(members: TopLevel): boolean {
  if (members.indexOfAny(hidingPlaces) < 0) return false;
  return (
    paths.some(({ path, fields }) => isHidden(members, path, 0, fields)) || hasAddressedId(members)
  );
}

/** Whether one of a list of requests has such a field, anywhere; a problem, if the list cannot be read. */
export function listHidesTransferFields(body: Buffer, start: number): boolean | JsonProblem {
  const found = someObject(body, start, element, steersTransfer);
  element.clear();
  return found;
}

/**
 * Whether a line is a request with such a field, alone or as the `body` of an element of a batch. A file of a batch has
 * a request in each line; it comes as it is, or within a form. Also true of more lines that look like requests and are
 * none than a file can have: each costs time.
 */
export function linesHideTransferFields(bytes: Buffer): boolean {
  const { length } = bytes;
  let readsLeft = unreadableLinesMax;
  let found = false;
  for (let at = 0; at < length && !found; at += 1) {
    while (at < length && isAround(bytes[at]!)) at += 1;
    const start = at;
    while (at < length && !isLineEnd(bytes[at]!)) at += 1;
    const end = bytes[start] === 0x7b ? objectEnd(bytes, start, at) : 0;
    if (end === 0) continue;
    const read = readWith(bytes, start, end, element, steersLine);
    if (read === undefined) readsLeft -= 1;
    found = read ?? readsLeft === 0;
  }
  element.clear();
  return found;
}

/** Any control character but the tabulator: none may stand in a JSON text, and Python's lines end with several. */
function isLineEnd(byte: number): boolean {
  return byte < 0x20 && byte !== 0x09;
}

/** What Python strips of a line is among it: white space, of Unicode as well, and a byte order mark. */
function isAround(byte: number): boolean {
  return byte <= 0x20 || byte >= 0x7f;
}

/** Where the object of this line would end; 0 = its first two characters or its last one are not those of one. */
function objectEnd(bytes: Buffer, start: number, lineEnd: number): number {
  let last = lineEnd - 1;
  while (last > start && isAround(bytes[last]!)) last -= 1;
  const isObject = bytes[last] === 0x7d && bytes[spaceEnd(bytes, start + 1, last)] === 0x22;
  return isObject ? last + 1 : 0;
}

function steersLine(members: TopLevel): boolean {
  if (steersTransfer(members)) return true;
  let at = members.indexOf(bodyKey);
  for (; at >= 0; at = members.indexOf(bodyKey, at + 1)) {
    const [start, end] = [members.valueStart(at), members.valueEnd(at)];
    if (readWith(members.bytes, start, end, new TopLevel(), steersTransfer)) return true;
  }
  return false;
}

/** Undefined = no engine can read it as an object. True also of one that engines can read and this proxy cannot. */
function readWith(
  bytes: Buffer,
  start: number,
  end: number,
  object: TopLevel,
  holds: (object: TopLevel) => boolean,
): boolean | undefined {
  const problem = scanTopLevel(bytes, start, end, object);
  if (problem === undefined) return holds(object);
  const { code, offset } = problem;
  if (code === "too_deep" || code === "too_many_members") return true;
  // What Unicode calls the end of a line.
  if (code === "trailing_bytes") return bytes[offset]! >= 0x80 || undefined;
  if (code !== "malformed") return undefined;
  // Python's `NaN` and `Infinity`. Sounds have lines that begin as an object does, but not such a value in one.
  return bytes[offset] === 0x4e || bytes[offset] === 0x49 || undefined;
}

function steersTransfer(members: TopLevel): boolean {
  return members.indexOfAny(transferFields) >= 0 || hidesTransferFields(members);
}

/** Shared: a call is synchronous and clears it. */
const element = new TopLevel();

/** Of a name that occurs twice each one is looked at: which of them an engine reads is its own choice. */
function isHidden(
  members: TopLevel,
  path: readonly KeyName[],
  depth: number,
  fields: KeySet,
): boolean {
  const key = path[depth];
  if (key === undefined) return members.indexOfAny(fields) >= 0;
  for (let at = members.indexOf(key); at >= 0; at = members.indexOf(key, at + 1)) {
    const inner = new TopLevel();
    // What is no object has no fields.
    scanTopLevel(members.bytes, members.valueStart(at), members.valueEnd(at), inner);
    if (isHidden(inner, path, depth + 1, fields)) return true;
  }
  return false;
}

/** Ids in which vLLM's P2pNcclConnector and MoRIIOConnector look for the addresses of other engines. */
const addressedId = /___(?:prefill|decode)_addr_/;

/** Whether a request id of a client's would say to engines with whom to exchange KV caches. */
export function namesEngines(requestId: string): boolean {
  return addressedId.test(requestId);
}

/** vLLM takes the id from the body where no header has one. */
function hasAddressedId(members: TopLevel): boolean {
  let at = members.indexOf(requestIdKey);
  for (; at >= 0; at = members.indexOf(requestIdKey, at + 1)) {
    const text = members.value(at).toString("latin1");
    const value = text.replace(/\\u00(..)/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    if (namesEngines(value)) return true;
  }
  return false;
}
