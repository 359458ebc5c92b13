/** Fields that frame a message of HTTP/1.1, or speak of its connection: HTTP/2 has none (RFC 9113, section 8.2.2). */
export const connectionFields: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);
