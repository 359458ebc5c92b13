// Small integers for the field names that the proxy knows, and their look-up, which allocates nothing.

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
  Refresh: 47,
  ContentLocation: 48,
  Link: 49,
} as const;

export type FieldId = (typeof FieldId)[keyof typeof FieldId];

/** In place of an id: a line that the proxy treats as if it had not come, whatever its name. */
export const IGNORED_FIELD = -1;

/** Ids up to this one belong to one hop. */
export const LAST_HOP_BY_HOP_ID: number = FieldId.ProxyAuthenticationInfo;

/** Lower-case name of each id; "" for Unknown. */
export const FIELD_NAMES: readonly string[] = Object.keys(FieldId).map((key) =>
  key === "Unknown" ? "" : key.replace(/(?!^)[A-Z]/g, "-$&").toLowerCase(),
);

const IDS: ReadonlyMap<string, number> = new Map(
  FIELD_NAMES.map((name, id): [string, number] => [name, id]).slice(1),
);

// A chained hash table over length, first and last letter: most look-ups compare with one name or with none.
const SLOTS = new Uint8Array(256);
const NEXT = new Uint8Array(FIELD_NAMES.length);
const NAME_BYTES: Uint8Array = Buffer.from(FIELD_NAMES.join(""), "latin1");
const NAME_START = new Uint16Array(FIELD_NAMES.length + 1);

const slotOf = (length: number, first: number, last: number): number =>
  (length * 29 + (first & 31) * 11 + (last & 31)) & 255;

for (let id = 1; id < FIELD_NAMES.length; id++) {
  const name = FIELD_NAMES[id]!;
  NAME_START[id + 1] = NAME_START[id]! + name.length;
  const slot = slotOf(name.length, name.charCodeAt(0), name.charCodeAt(name.length - 1));
  NEXT[id] = SLOTS[slot]!;
  SLOTS[slot] = id;
}

/** Folding a token's letters with one OR is exact here: no other token character becomes a letter, digit or hyphen. */
function isName(bytes: Uint8Array, start: number, end: number, id: number): boolean {
  const nameStart = NAME_START[id]!;
  if (NAME_START[id + 1]! - nameStart !== end - start) return false;
  for (let i = nameStart, at = start; at < end; i++, at++) {
    if ((bytes[at]! | 0x20) !== NAME_BYTES[i]) return false;
  }
  return true;
}

/** Id of the name bytes[start, end) in any case, or 0. The range is a token and not empty. */
export function fieldIdAt(bytes: Uint8Array, start: number, end: number): number {
  let id = SLOTS[slotOf(end - start, bytes[start]!, bytes[end - 1]!)]!;
  while (id !== 0 && !isName(bytes, start, end, id)) id = NEXT[id]!;
  return id;
}

/** Id of a lower-case name, or 0. */
export function fieldIdOf(lowerName: string): number {
  return IDS.get(lowerName) ?? 0;
}
