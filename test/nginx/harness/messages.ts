/** Where raw HTTP messages end: just enough for the two ends of the suite. Texts are latin1. */

const blank = "\r\n\r\n";

/** The place after the first message, or -1 while it is not complete. */
export function requestEnd(text: string): number {
  const head = headEnd(text);
  return head < 0 ? -1 : bodyEnd(text, head, 0);
}

/**
 * The place after the first response that is not 1xx, or -1 while it is not complete. One that lasts until its
 * connection closes is never complete.
 */
export function responseEnd(text: string, isHead: boolean): number {
  let start = 0;
  for (;;) {
    const length = headEnd(text.slice(start));
    if (length < 0) return -1;
    const [, status = ""] = text.slice(start).split(" ", 2);
    if (!status.startsWith("1")) {
      if (isHead || status === "204" || status === "304") return start + length;
      const end = bodyEnd(text.slice(start), length, -1);
      return end < 0 ? -1 : start + end;
    }
    // After this it is no HTTP any more.
    if (status === "101") return -1;
    start += length;
  }
}

/** The place after the head, by CRLF or bare LF. */
export function headEnd(text: string): number {
  const found = /\r?\n\r?\n/.exec(text);
  return found === null ? -1 : found.index + found[0].length;
}

function bodyEnd(text: string, head: number, withoutLength: number): number {
  const fields = text.slice(0, head);
  if (/^transfer-encoding:.*chunked/im.test(fields)) {
    const last = /(^|\r\n)0+(;.*)?\r\n/.exec(text.slice(head));
    if (last === null) return -1;
    const trailer = text.indexOf(blank, head + last.index + last[0].length - 2);
    return trailer < 0 ? -1 : trailer + blank.length;
  }
  const length = /^content-length: *(\d+)/im.exec(fields)?.[1];
  if (length === undefined) return withoutLength < 0 ? -1 : head + withoutLength;
  return text.length < head + Number(length) ? -1 : head + Number(length);
}
