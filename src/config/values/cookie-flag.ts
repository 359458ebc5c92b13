/** What can be said of a cookie's flags, in nginx's words. */

const flags: ReadonlySet<string> = new Set([
  "secure",
  "nosecure",
  "httponly",
  "nohttponly",
  "samesite=strict",
  "samesite=lax",
  "samesite=none",
  "nosamesite",
]);

/** @param flag in lower case */
export function isCookieFlag(flag: string): boolean {
  return flags.has(flag);
}
