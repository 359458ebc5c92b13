/** Whether what an engine has responded with 200 is the JSON of a response, or an error, a page, half of something. */
import { arrayElements } from "../../../body/json/array.ts";
import { KeyName } from "../../../body/json/key-name.ts";
import { scanTopLevel, TopLevel } from "../../../body/json/top-level.ts";

const errorKey = new KeyName("error");
const objectKey = new KeyName("object");
/** FastAPI's errors have this member alone. */
const detailKey = new KeyName("detail");
/** What `jsonFault` says of a response in which there is nothing. */
export const isEmpty = "its response is empty";
const notJson = "its response is not JSON";
/** Shared: a call is synchronous and clears it. */
const members = new TopLevel();

/**
 * @param isOdd tells of the beginnings of members' JSON what else is wrong; "" = nothing
 * @returns why it is no response; "" = it may be one
 */
export function jsonFault(
  body: Buffer,
  isOdd: (textOf: (key: KeyName) => string | undefined) => string = () => "",
): string {
  // SGLang responds to a batch with a list.
  const elements = body[0] === 0x5b ? arrayElements(body, 0, body.length) : undefined;
  if (elements !== undefined) {
    if (elements.length === 0) return isEmpty;
    return elements.every(({ start }) => body[start] === 0x7b) ? "" : notJson;
  }
  if (scanTopLevel(body, 0, body.length, members) !== undefined) return notJson;
  // A response that is stored tells its own failure.
  const object = textOf(objectKey);
  const error = object === '"response"' ? undefined : textOf(errorKey);
  const isDetail = members.count === 1 && members.indexOf(detailKey) === 0;
  const isError = (error ?? "null") !== "null" || object === '"error"' || isDetail;
  const fault = isError ? "its response is an error" : isOdd(textOf);
  const isNothing = members.count === 0;
  members.clear();
  return isNothing ? isEmpty : fault;
}

/** The beginning of a member's JSON: enough to tell what it is. */
function textOf(key: KeyName): string | undefined {
  const at = members.lastIndexOf(key);
  if (at < 0) return undefined;
  const start = members.valueStart(at);
  return members.bytes.toString("latin1", start, Math.min(members.valueEnd(at), start + 16));
}
