/**
 * The context server's response as the client's, if the first token is the last: as one server would give it,
 * streamed or not.
 */

import { memberOf, Patches } from "../../body/edit/patches.ts";
import { arrayElements } from "../../body/json/array.ts";
import { KeyName } from "../../body/json/key-name.ts";
import type { Span } from "../../body/json/member-value.ts";
import { valueAt } from "../../body/json/path-value.ts";
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";
import type { DialectRequest, FinalReply } from "../dialect.ts";
import { isTrue, memberValueOf } from "../shared/member-facts.ts";
import { type ContextResponse, disaggregatedParams } from "./context.ts";

const stream = new KeyName("stream");
const streamOptions = new KeyName("stream_options");
const includeUsage = new KeyName("include_usage");
const message = new KeyName("message");
const role = new KeyName("role");
const toolCalls = new KeyName("tool_calls");
const shared = ["id", "created", "model"].map((name) => new KeyName(name));

const nothing = Buffer.from("null");
const opening = `{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}`;

export function finalReplyOf(
  { members }: DialectRequest,
  response: Buffer,
  context: ContextResponse,
): FinalReply {
  if (isTrue(members, stream)) {
    const body = eventsOf(response, context, wantsUsage(members));
    return { contentType: "text/event-stream; charset=utf-8", body };
  }
  const patches = new Patches(response);
  // As one server has them.
  for (const span of context.transfer) patches.replace(span, nothing);
  return { contentType: "application/json", body: patches.result() ?? response };
}

/** TensorRT-LLM includes the usage unless the options say otherwise (`StreamOptions`). */
function wantsUsage(members: TopLevel): boolean {
  const options = memberValueOf(members, streamOptions);
  if (options?.[0] !== 0x7b) return false;
  const included = memberOf(options, { start: 0, end: options.length }, includeUsage);
  return included === undefined || options[included.start] === 0x74;
}

/** Texts are latin1 throughout: bytes stay what they are. */
function eventsOf(
  response: Buffer,
  { choice, usage }: ContextResponse,
  tellsUsage: boolean,
): Buffer {
  const isChat = memberOf(response, choice, message) !== undefined;
  const object = isChat ? "chat.completion.chunk" : "text_completion";
  const whole = { start: 0, end: response.length };
  let start = `data: {"object":"${object}"`;
  for (const key of shared) {
    const value = valueAt(response, whole, [key]);
    if (value !== undefined) start += `,"${key.text}":${textAt(response, value)}`;
  }
  start += `,"choices":[`;
  let events = isChat ? `${start}${opening}]}\n\n` : "";
  events += `${start}${choiceEvent(response, choice)}]}\n\n`;
  if (tellsUsage && usage !== undefined) {
    events += `${start}],"usage":${textAt(response, usage)}}\n\n`;
  }
  return Buffer.from(`${events}data: [DONE]\n\n`, "latin1");
}

/** A chat's message is a stream's `delta`. */
function choiceEvent(response: Buffer, choice: Span): string {
  return objectWithout(response, choice, (key, value) => {
    if (key === disaggregatedParams.text) return undefined;
    if (key !== message.text) return `"${key}":${textAt(response, value)}`;
    return `"delta":${deltaOf(response, value)}`;
  });
}

function deltaOf(response: Buffer, span: Span): string {
  return objectWithout(response, span, (key, value) => {
    if (key === role.text) return undefined;
    if (key !== toolCalls.text) return `"${key}":${textAt(response, value)}`;
    const calls = arrayElements(response, value.start, value.end) ?? [];
    if (calls.length === 0) return undefined;
    // In a stream each says which one it is.
    const numbered = calls.map((call, i) => `{"index":${i},${textAt(response, call).slice(1)}`);
    return `"tool_calls":[${numbered.join()}]`;
  });
}

/** The object with each member as `write` has it; undefined = not at all. */
function objectWithout(
  bytes: Buffer,
  { start, end }: Span,
  write: (key: string, value: Span) => string | undefined,
): string {
  const members = new TopLevel();
  if (scanTopLevel(bytes, start, end, members) !== undefined) return "{}";
  const parts: string[] = [];
  for (let i = 0; i < members.count; i++) {
    const key = bytes.toString("latin1", members.keyStart(i) + 1, members.keyEnd(i) - 1);
    const part = write(key, { start: members.valueStart(i), end: members.valueEnd(i) });
    if (part !== undefined) parts.push(part);
  }
  return `{${parts.join()}}`;
}

/** On one line: in JSON a line's end is white space, in an event it is not. */
function textAt(bytes: Buffer, { start, end }: Span): string {
  return bytes.toString("latin1", start, end).replaceAll(/[\r\n]/g, " ");
}
