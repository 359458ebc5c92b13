/** Percent-encoding of what templates and decoded paths put into request lines and headers. */

/** What nginx encodes in the path of a changed URI. */
export const pathUnsafe: RegExp = /[\x00-\x20"#%<>?\\^`{|}\x7f-\u{10ffff}]/gu;
/** What nginx encodes in a capture that becomes a part of a query. */
export const argsUnsafe: RegExp = /[\x00-\x20"#%&+;<>?\\^`{|}\x7f-\u{10ffff}]/gu;
/** What would end a request target or a line. A head is written as latin1, where U+010A would be a line feed. */
export const lineUnsafe: RegExp = /[\x00-\x20#\x7f-\u{10ffff}]/gu;

/** @param unsafe one of the above, or another global expression of single characters */
export function percentEncode(text: string, unsafe: RegExp): string {
  return text.replace(unsafe, encode);
}

function encode(char: string): string {
  return Buffer.from(char, "utf8").toString("hex").toUpperCase().replace(/../g, "%$&");
}

/**
 * A redirect of a rewrite, decoded up to its query as far as that changes nothing of its parts (nginx's
 * `NGX_UNESCAPE_REDIRECT`): a URL that came as an argument is one again.
 */
export function decodeRedirect(text: string): string {
  if (!text.includes("%")) return text;
  let isQuery = false;
  return text.replace(/\?|%([0-9a-f]{2})/gi, (piece, hex?: string) => {
    if (isQuery) return piece;
    const code = hex === undefined ? question : Number.parseInt(hex, 16);
    isQuery = code === question;
    return code > 0x25 && code < 0x7f ? String.fromCharCode(code) : piece;
  });
}

const question = 0x3f;
