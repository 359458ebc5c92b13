/** The locations of a server as one list, each behind the one that it is in. */

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

export function flattenLocations(
  block: Block,
  report: Report,
  outer?: FlatLocation,
): FlatLocation[] {
  const siblings = withoutDuplicates(locationsIn(block, outer, report), report);
  // Those behind an inner location of the same path would be looked for in that one.
  const isTwin = ({ match }: FlatLocation) => match.path === outer?.match.path;
  const ordered = [...siblings.filter((one) => !isTwin(one)), ...siblings.filter(isTwin)];
  return ordered.flatMap((own) => [own, ...flattenLocations(own.block, report, own)]);
}

function locationsIn(
  block: Block,
  outer: FlatLocation | undefined,
  report: Report,
): FlatLocation[] {
  return block.own(location).flatMap(({ value, node, block: inner }): FlatLocation[] => {
    const { kind, path, written } = value;
    if (outer !== undefined && !mayNest(value, outer, node.name.position, report)) return [];
    if (!/^[/@]/.test(path) && !kind.startsWith("regex")) {
      report.warn(written.position, `location "${path}" matches no request`, 'begin it with "/"');
      return [];
    }
    const named = kind === "named";
    const within = outer && { within: outer.match.path };
    return [
      { match: { kind: named ? "exact" : kind, path, ...within }, named, written, block: inner! },
    ];
  });
}

function withoutDuplicates(locations: readonly FlatLocation[], report: Report): FlatLocation[] {
  const seen = new Set<string>();
  return locations.filter(({ match, named, written }) => {
    if (match.kind.startsWith("regex")) return true;
    const key = `${match.kind === "exact" ? "=" : ""}${match.path}`;
    if (seen.has(key) && named) {
      report.warn(written.position, `duplicate location "${match.path}": the first one is used`);
      return false;
    }
    if (seen.has(key)) report.emerg(written.position, `duplicate location "${match.path}"`);
    seen.add(key);
    return true;
  });
}

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
  return true;
}
