/** The files of a configuration on disk. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, parse } from "node:path";
import type { ConfFiles } from "./parser.ts";

export const diskFiles: ConfFiles = {
  read: (path) => readFileSync(path, "utf8"),
  glob,
};

/** The files that match an absolute pattern, as glob(3) finds them: only a dot matches a leading dot. */
function glob(pattern: string): string[] {
  const { root } = parse(pattern);
  let found = [root];
  for (const part of pattern.slice(root.length).split("/")) {
    if (part === "") continue;
    found = found.flatMap((folder) => step(folder, part));
  }
  return found;
}

function step(folder: string, part: string): string[] {
  if (!/[*?[]/.test(part)) {
    const path = join(folder, part);
    return existsSync(path) ? [path] : [];
  }
  const matches = partMatcher(part);
  return namesIn(folder)
    .filter((name) => matches(name))
    .map((name) => join(folder, name));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Nothing matches in what is not a folder, or may not be read.
    return [];
  }
}

/** One part of a path, with `*`, `?` and `[…]`. */
export function partMatcher(part: string): (name: string) => boolean {
  let source = "";
  for (const [piece, set] of part.matchAll(/\[(!?\]?[^\]]*)\]|./gs)) {
    if (piece === "*") source += "[^/]*";
    else if (piece === "?") source += "[^/]";
    else if (set !== undefined) source += `[${set.replace(/^!/, "^").replace(/[\\[\]]/g, "\\$&")}]`;
    else source += piece.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  }
  const regex = compile(`^${source}$`);
  return (name) => (!name.startsWith(".") || part.startsWith(".")) && regex.test(name);
}

/** A set such as `[z-a]` has no members. */
function compile(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch {
    return /(?!)/;
  }
}
