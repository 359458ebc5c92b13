/**
 * The value of a top-level member of a request's body, for `$body_…`: found by the scanner, with nothing of the rest
 * decoded.
 */
import { KeyName } from "../../body/json/key-name.ts";
import { scanTopLevel, TopLevel } from "../../body/json/top-level.ts";
import { bodyVariableBytesMax } from "../../limits.ts";
import type { RequestContext } from "../context/request-context.ts";

const quote = 0x22;
/** By the names in templates, of which there are as many as the configuration has. */
const keys = new Map<string, KeyName>();
/** Of bodies that nobody has scanned yet. A call is synchronous and leaves nothing in it. */
const scanned = new TopLevel();

/**
 * As it stands in the body, a byte per character: a string without its quotes and with its escapes, anything else as
 * its JSON. Empty where there is no such member, where it is null or longer than the bound, and where the body is no
 * JSON object or not there yet.
 */
export function bodyMember(context: RequestContext, name: string): string {
  return readMembers(context, (members) => valueIn(members, name)) ?? "";
}

/** Reads members of the body, whether somebody has scanned it or not. Undefined = it is no JSON object. */
export function readMembers<T>(
  { members, body }: Pick<RequestContext, "members" | "body">,
  read: (members: TopLevel) => T,
): T | undefined {
  if (members !== undefined) return read(members);
  if (body.length === 0) return undefined;
  const isObject = scanTopLevel(body, 0, body.length, scanned) === undefined;
  const value = isObject ? read(scanned) : undefined;
  scanned.clear();
  return value;
}

function valueIn(members: TopLevel, name: string): string {
  let key = keys.get(name);
  if (key === undefined) {
    key = new KeyName(name);
    keys.set(name, key);
  }
  const at = members.lastIndexOf(key);
  if (at < 0) return "";
  let start = members.valueStart(at);
  let end = members.valueEnd(at);
  if (members.bytes[start] === quote) {
    start += 1;
    end -= 1;
  }
  if (end - start > bodyVariableBytesMax) return "";
  const value = members.bytes.toString("latin1", start, end);
  return value === "null" && members.bytes[start - 1] !== quote ? "" : value;
}
