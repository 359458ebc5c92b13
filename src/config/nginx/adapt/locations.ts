/** The locations of a server as one flat list: nested ones are moved out where that changes nothing. */

import type { Position } from "../../problems/problem.ts";
import type { Block } from "../directives/block.ts";
import { type Location, location, type Match } from "../directives/http/location.ts";
import type { Word } from "../syntax/lexer.ts";
import type { Report } from "../syntax/report.ts";

export interface FlatLocation {
  readonly match: Match;
  /** Its path cannot be reached by a request. */
  readonly named: boolean;
  /** What the operator wrote as path. */
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
      report.warn(written.position, `location "${match.path}" stands twice: the first is used`);
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
      const hint = 'paths begin with "/"';
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
  // `^~` keeps the expressions of its own level from being tried. An inner location is at the outer's level now.
  const kept = outer === undefined || kind === "exact" ? kind : outer.match.kind;
  return { named: false, match: { kind: kept, path } as Match };
}

/** nginx's rules, and one of ours: what a regular expression has to do with nesting cannot be said in a flat list. */
function mayNest(
  { kind, path, written }: Location,
  outer: FlatLocation,
  position: Position,
  report: Report,
): boolean {
  const refuse = (message: string, hint?: string) => {
    report.emerg(position, message, hint);
    return false;
  };
  const around = outer.match.path;
  if (outer.named) {
    return refuse(`location "${written.text}" cannot be inside the named location "${around}"`);
  }
  if (outer.match.kind === "exact") {
    return refuse(`location "${written.text}" cannot be inside the exact location "${around}"`);
  }
  if (kind === "named") {
    return refuse(`named location "${path}" can be on the server level only`);
  }
  const isRegex = kind.startsWith("regex");
  // nginx compares with a regular expression's text, too.
  if (!isRegex && !path.startsWith(outer.written.text)) {
    return refuse(`location "${path}" is outside location "${outer.written.text}"`);
  }
  if (isRegex || outer.match.kind.startsWith("regex")) {
    return refuse(
      "nested locations with regular expressions are not supported yet",
      "write one expression at the server level",
    );
  }
  return true;
}

/** A nested location is looked for only inside the longest match of the level above it. */
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
      const message = `location "${inner.match.path}" is never reached: "${rival.match.path}" matches before`;
      report.emerg(inner.written.position, message, `move it into "${rival.match.path}"`);
    }
  });
}
