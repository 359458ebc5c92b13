/** The head of an HTTP/1.1 response as fields of HTTP/2 (RFC 9113, section 8.2). */
import type { ResponseHead } from "../http1/head/response-head.ts";
import { connectionFields } from "./connection-fields.ts";

/** By names in lower case; several values of one name only for cookies. */
export type ResponseFields = Record<string, string | number | string[]>;

export function responseFields({ status, fields }: ResponseHead): ResponseFields {
  const all: ResponseFields = { ":status": status };
  const cookies: string[] = [];
  for (let i = 0; i < fields.count; i += 1) {
    const name = fields.name(i).toLowerCase();
    if (connectionFields.has(name)) continue;
    const value = fields.value(i);
    if (name === "set-cookie") cookies.push(value);
    // RFC 9110, section 5.3. The library refuses to repeat those that are no lists.
    else all[name] = all[name] === undefined ? value : `${all[name]}, ${value}`;
  }
  if (cookies.length > 0) all["set-cookie"] = cookies;
  return all;
}
