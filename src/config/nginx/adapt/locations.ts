/** The locations of a server as one flat list: nested ones move out if that changes nothing. */

import type { Position } from "../../problems/problem.ts";
import type { Block } from "../directives/block.ts";
import { type Location, location, type Match } from "../directives/http/location.ts";
import type { Word } from "../syntax/lexer.ts";
import type { Report } from "../syntax/report.ts";

export interface FlatLocation {
  readonly match: Match;
  /** `@name`: no request has such a path. */
  readonly named: boolean;
  /** The path as it stands in the file. */
  readonly written: Word;
  readonly block: Block;
}

export function flattenLocations(server: Block, report: Report): FlatLocation[] {
  const flat = flattenInto(server, undefined, report);
  const seen = new Set<string>();
  return flat.filter(({ match, written }) => {
    if (match.kind.startsWith("regex")) return true;
    const key = `${match.kind === "exact" ? "=" : ""}${match.path}`;
    if (seen.has(key) && match.path.startsWith("@")) {
      report.warn(written.position, `duplicate location "${match.path}": the first one is used`);
      return false;
    }
    if (seen.has(key)) report.emerg(written.position, `duplicate location "${match.path}"`);
    seen.add(key);
    return true;
  });
}

function flattenInto(
  block: Block,
  outer: FlatLocation | undefined,
  report: Report,
): FlatLocation[] {
  const siblings: FlatLocation[] = [];
  for (const entry of block.own(location)) {
    const { value, node } = entry;
    if (outer !== undefined && !mayNest(value, outer, node.name.position, report)) continue;
    const { named, match } = matchOf(value, outer);
    if (!named && !match.kind.startsWith("regex") && !match.path.startsWith("/")) {
      const hint = 'begin it with "/"';
      report.warn(value.written.position, `location "${match.path}" matches no request`, hint);
      continue;
    }
    siblings.push({ match, named, written: value.written, block: entry.block! });
  }
  const nested = siblings.map((own) => flattenInto(own.block, own, report));
  checkOverlaps(siblings, nested, report);
  return siblings.flatMap((own, index) => [own, ...nested[index]!]);
}

function matchOf({ kind, path }: Location, outer: FlatLocation | undefined) {
  if (kind === "named") return { named: true, match: { kind: "exact", path } as Match };
  // `^~` disables the regular expressions of its level, which is now that of the outer location.
  const kept = outer === undefined || kind === "exact" ? kind : outer.match.kind;
  return { named: false, match: { kind: kept, path } as Match };
}

/** nginx's rules, and one of ours: a flat list cannot express nested regular expressions. */
function mayNest(
  { kind, path, written }: Location,
  outer: FlatLocation,
  position: Position,
  report: Report,
): boolean {
  const reject = (message: string, hint?: string) => {
    report.emerg(position, message, hint);
    return false;
  };
  const around = outer.match.path;
  if (outer.named) {
    return reject(`location "${written.text}" cannot be inside the named location "${around}"`);
  }
  if (outer.match.kind === "exact") {
    return reject(`location "${written.text}" cannot be inside the exact location "${around}"`);
  }
  if (kind === "named") {
    return reject(`named location "${path}" can be on the server level only`);
  }
  const isRegex = kind.startsWith("regex");
  // nginx also compares with the text of a regular expression.
  if (!isRegex && !path.startsWith(outer.written.text)) {
    return reject(`location "${path}" is outside location "${outer.written.text}"`);
  }
  if (isRegex || outer.match.kind.startsWith("regex")) {
    return reject(
      "nested locations with regular expressions are not supported yet",
      "write one expression at the server level",
    );
  }
  return true;
}

/** nginx looks for a nested location only inside the longest match of the level above. */
function checkOverlaps(
  siblings: readonly FlatLocation[],
  nested: readonly (readonly FlatLocation[])[],
  report: Report,
): void {
  siblings.forEach((own, index) => {
    for (const inner of nested[index]!) {
      const rival = siblings.find(
        (other) =>
          !other.named &&
          !other.match.kind.startsWith("regex") &&
          other.match.path.length > own.match.path.length &&
          inner.match.path.startsWith(other.match.path),
      );
      if (rival === undefined) continue;
      const message = `location "${inner.match.path}" is never reached: "${rival.match.path}" matches first`;
      report.emerg(inner.written.position, message, `move it into "${rival.match.path}"`);
    }
  });
}
