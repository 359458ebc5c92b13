/** Patterns of include find the files that glob(3) finds. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { diskFiles, partMatcher } from "../../../../src/config/nginx/syntax/files.ts";

let root = "";

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "gp-glob-"));
  for (const folder of ["a", "b", "b/c"]) mkdirSync(join(root, folder));
  for (const file of [
    "a/1.conf",
    "a/2.conf",
    "a/.hidden.conf",
    "a/2.txt",
    "b/1.conf",
    "b/c/1.conf",
  ])
    writeFileSync(join(root, file), file);
});

afterAll(() => rmSync(root, { recursive: true }));

describe("patterns of include", () => {
  it.each<[pattern: string, found: string[]]>([
    ["a/*.conf", ["a/1.conf", "a/2.conf"]],
    ["*/1.conf", ["a/1.conf", "b/1.conf"]],
    ["?/[!1].conf", ["a/2.conf"]],
    ["a/.*.conf", ["a/.hidden.conf"]],
    ["b/*/*", ["b/c/1.conf"]],
    ["none/*", []],
    ["a/1.conf/*", []],
    ["a/*/1.conf", []],
  ])("%s", (pattern, found) => {
    expect([...diskFiles.glob(join(root, pattern))].sort()).toEqual(
      found.map((file) => join(root, file)),
    );
  });

  it.each<[part: string, name: string, matches: boolean]>([
    ["a.conf", "a.conf", true],
    ["a.conf", "axconf", false],
    ["[ab]x", "bx", true],
    ["[^a]x", "bx", true],
    ["[!a]x", "ax", false],
    ["[]]x", "]x", true],
    ["[a-c]", "b", true],
    ["[\\]", "\\", true],
    ["*(1)+", "a(1)+", true],
    ["[", "[", true],
    ["[z-a]", "b", false],
    ["*", ".hidden", false],
  ])("%s against %s", (part, name, matches) => {
    expect(partMatcher(part)(name)).toBe(matches);
  });
});

it("a file is read as UTF-8", () => {
  expect(diskFiles.read(join(root, "a/1.conf"))).toBe("a/1.conf");
  expect(() => diskFiles.read(join(root, "none"))).toThrow("ENOENT");
});
