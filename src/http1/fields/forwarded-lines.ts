// The field lines that a proxy forwards: those that arrived, byte for byte, without the ones of one hop.

import { LAST_HOP_BY_HOP_ID } from "./field-ids.ts";
import type { FieldSet } from "./field-set.ts";
import type { HeaderFields } from "./header-fields.ts";

function isDropped(fields: HeaderFields, i: number, drop: FieldSet): boolean {
  const id = fields.id(i);
  if (id !== 0) return id <= LAST_HOP_BY_HOP_ID || drop.hasId(id);
  if (fields.nominatedCount > 0 && fields.isNominated(i)) return true;
  return drop.mayHoldOther(fields.nameLength(i)) && drop.others.has(fields.name(i).toLowerCase());
}

/**
 * All lines, each with its CRLF, except those of one hop (RFC 9110, section 7.6.1, with the Proxy-Auth* fields, which
 * are for this proxy or for its client), those that this message's Connection header nominates, and those in `drop`.
 *
 * A nomination affects only names without a `FieldId`. RFC 9110 forbids nominating fields meant for all recipients, yet
 * `Connection: Authorization` or `Connection: X-Forwarded-For` is a known way to make a proxy strip what the next hop
 * relies on. The Connection header is never forwarded, so ignoring such an entry leaves the message as it would be
 * without it. Adjacent lines that are forwarded become one slice.
 */
export function forwardedLines(fields: HeaderFields, drop: FieldSet): string {
  const { text, count } = fields;
  let lines = "";
  let runStart = -1;
  for (let i = 0; i < count; i++) {
    if (!isDropped(fields, i, drop)) {
      if (runStart < 0) runStart = fields.lineStart(i);
    } else if (runStart >= 0) {
      lines += text.slice(runStart, fields.lineStart(i));
      runStart = -1;
    }
  }
  return runStart < 0 ? lines : lines + text.slice(runStart, fields.lineEnd(count - 1));
}
