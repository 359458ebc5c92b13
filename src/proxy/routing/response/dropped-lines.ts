/** Which lines of an engine's head do not go on: those that are hidden, and those that others take the place of. */
import { FieldSet } from "../../../http1/fields/field-set.ts";
import { locating } from "./redirects.ts";

/** What may make way for lines of the proxy's own: sums of these are kinds, too. */
export const dropped = {
  requestId: 1,
  places: 2,
  lastModified: 4,
  etag: 8,
  cookies: 16,
  contentType: 32,
  caching: 64,
} as const;

const namesOf: readonly (readonly [kind: number, names: readonly string[]])[] = [
  [dropped.requestId, ["X-Request-Id"]],
  [dropped.places, locating],
  [dropped.lastModified, ["Last-Modified"]],
  [dropped.etag, ["ETag"]],
  [dropped.cookies, ["Set-Cookie"]],
  [dropped.contentType, ["Content-Type"]],
  [dropped.caching, ["Expires", "Cache-Control"]],
];

export class DroppedLines {
  readonly #hidden: readonly string[];
  /** By their kinds; each is made when it is first needed. */
  readonly #sets: (FieldSet | undefined)[] = [];

  /** @param hidden names of lines that never go on; without its length a body would have no end */
  constructor(hidden: readonly string[]) {
    this.#hidden = hidden.filter((name) => name.toLowerCase() !== "content-length");
  }

  /** @param kinds sum of kinds that do not go on besides the hidden ones */
  of(kinds: number): FieldSet {
    const made = this.#sets[kinds];
    if (made !== undefined) return made;
    const set = new FieldSet([...this.#hidden, ...namesIn(kinds)]);
    this.#sets[kinds] = set;
    return set;
  }
}

function namesIn(kinds: number): string[] {
  return namesOf.flatMap(([kind, names]) => ((kinds & kind) === 0 ? [] : names));
}

/** Header lines of the proxy's own without those of some kinds. */
export function withoutKinds(lines: string, kinds: number): string {
  if (kinds === 0) return lines;
  return lines.replace(new RegExp(`^(?:${namesIn(kinds).join("|")}):.*\\r\\n`, "gim"), "");
}
