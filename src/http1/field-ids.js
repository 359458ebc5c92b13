// Small integers for the field names that the proxy knows, and the look-up from a name's bytes, which allocates nothing.
import { LOWER } from "./charset.js";
/** At most 63 names, as sets of them are two 32-bit words. A key in kebab case is the field's name. */
export const FieldId = {
  Unknown: 0,
  // Of one hop (RFC 9110, section 7.6.1, and RFC 9112): never forwarded.
  Connection: 1,
  KeepAlive: 2,
  ProxyConnection: 3,
  Te: 4,
  Trailer: 5,
  TransferEncoding: 6,
  Upgrade: 7,
  ProxyAuthenticate: 8,
  ProxyAuthorization: 9,
  ProxyAuthenticationInfo: 10,
  // End to end: a Connection header that nominates one of these has no effect on it.
  Host: 11,
  ContentLength: 12,
  Expect: 13,
  ContentType: 14,
  ContentEncoding: 15,
  AcceptEncoding: 16,
  Authorization: 17,
  XRequestId: 18,
  XForwardedFor: 19,
  Server: 20,
  Date: 21,
  UserAgent: 22,
  Cookie: 23,
  Accept: 24,
  RetryAfter: 25,
  Location: 26,
  SetCookie: 27,
  WwwAuthenticate: 28,
  CacheControl: 29,
  Allow: 30,
  Vary: 31,
  Etag: 32,
  Origin: 33,
  Via: 34,
  Forwarded: 35,
  XForwardedHost: 36,
  XForwardedProto: 37,
  XForwardedPort: 38,
  XRealIp: 39,
  XApiKey: 40,
  ApiKey: 41,
  Traceparent: 42,
  Tracestate: 43,
  MaxForwards: 44,
  Range: 45,
  ContentRange: 46,
};
/** Ids up to this one belong to one hop. */
export const LAST_HOP_BY_HOP_ID = FieldId.ProxyAuthenticationInfo;
/** Lower-case name of each id; "" for Unknown. */
export const FIELD_NAMES = Object.keys(FieldId).map((key) =>
  key === "Unknown" ? "" : key.replace(/(?!^)[A-Z]/g, "-$&").toLowerCase(),
);
const IDS = new Map(FIELD_NAMES.map((name, id) => [name, id]).slice(1));
// A chained hash table over length, first and last letter: most look-ups compare with one name or with none.
const SLOTS = new Uint8Array(256);
const NEXT = new Uint8Array(FIELD_NAMES.length);
const NAME_BYTES = Buffer.from(FIELD_NAMES.join(""), "latin1");
const NAME_START = new Uint16Array(FIELD_NAMES.length + 1);
const slotOf = (length, first, last) => (length * 29 + (first & 31) * 11 + (last & 31)) & 255;
for (let id = 1; id < FIELD_NAMES.length; id++) {
  const name = FIELD_NAMES[id];
  NAME_START[id + 1] = NAME_START[id] + name.length;
  const slot = slotOf(name.length, name.charCodeAt(0), name.charCodeAt(name.length - 1));
  NEXT[id] = SLOTS[slot];
  SLOTS[slot] = id;
}
function isName(bytes, start, end, id) {
  const nameStart = NAME_START[id];
  if (NAME_START[id + 1] - nameStart !== end - start) return false;
  for (let i = nameStart, at = start; at < end; i++, at++) {
    if (LOWER[bytes[at]] !== NAME_BYTES[i]) return false;
  }
  return true;
}
/** Id of the name bytes[start, end) in any case, or 0. The range is not empty. */
export function fieldIdAt(bytes, start, end) {
  let id = SLOTS[slotOf(end - start, bytes[start], bytes[end - 1])];
  while (id !== 0 && !isName(bytes, start, end, id)) id = NEXT[id];
  return id;
}
/** Id of a lower-case name, or 0. */
export function fieldIdOf(lowerName) {
  return IDS.get(lowerName) ?? 0;
}
//# sourceMappingURL=field-ids.js.map
