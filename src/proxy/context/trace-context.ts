/** W3C Trace Context (https://www.w3.org/TR/trace-context/): what of it a request brings. */

export interface TraceParent {
  readonly traceId: string;
  readonly parentId: string;
  readonly isSampled: boolean;
}

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const nothing = /^0+$/;
/** As many characters a vendor has to be able to pass on. */
const stateCharsMax = 512;
const stateEntry =
  /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** Undefined = there is none, or it is invalid: then a new trace begins. */
export function parseTraceParent(value: string | undefined): TraceParent | undefined {
  const match = value === undefined ? null : form.exec(value.trim());
  if (match === null) return undefined;
  const [, version = "", traceId = "", parentId = "", flags = "", more] = match;
  // Later versions may have more behind it.
  if (version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (nothing.test(traceId) || nothing.test(parentId)) return undefined;
  return { traceId, parentId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** "" = there is none, or it is invalid. */
export function parseTraceState(value: string | undefined): string {
  if (value === undefined || value.length > stateCharsMax) return "";
  const entries = value.split(",").map((entry) => entry.trim());
  const filled = entries.filter((entry) => entry !== "");
  return filled.length <= 32 && filled.every((entry) => stateEntry.test(entry))
    ? filled.join(",")
    : "";
}
