/**
 * Pages that newcomers trust: links lead to headings that exist, every page can be found, the folders are those of src.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".md"))
  .map((file) => join("docs", file))
  .sort();
const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md", ...docs];

/** Without fenced code, where `#` begins a comment and brackets are no links. */
const prose = (file: string) => read(file).replaceAll(/^```.*?^```$/gms, "");

/** As GitHub makes them of headings. */
function anchorsOf(file: string): Set<string> {
  const headings = [...prose(file).matchAll(/^#{1,6} (.*)$/gm)].map(([, text]) => text!);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function linksOf(file: string): { target: string; anchor: string }[] {
  return [...prose(file).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(
    ([, path = "", anchor = ""]) => ({
      target: path === "" ? file : relative(root, join(root, dirname(file), path)),
      anchor,
    }),
  );
}

test("links to a heading name one that exists", () => {
  const dead = pages.flatMap((file) =>
    linksOf(file)
      .filter(({ target, anchor }) => anchor !== "" && target.endsWith(".md"))
      .filter(({ target }) => existsSync(join(root, target)))
      .filter(({ target, anchor }) => !anchorsOf(target).has(anchor))
      .map(({ target, anchor }) => `${file} → ${target}#${anchor}`),
  );
  expect(dead).toEqual([]);
});

test("every page can be reached from the README", () => {
  const reached = new Set(["README.md"]);
  for (const file of reached) {
    for (const { target } of linksOf(file)) if (pages.includes(target)) reached.add(target);
  }
  expect(pages.filter((file) => !reached.has(file))).toEqual([]);
});

test("the architecture page lists the folders of src, in the order in which they may import", () => {
  const text = read("test/layers.test.ts");
  const list = /^const layers = \[$(.*?)^\];$/ms.exec(text)![1]!;
  const layers = [...list.matchAll(/"([^"]+)"/g)].map(([, layer]) => layer!);
  // The table has a row for each folder inside control, and none for the few files beside them.
  const expected = layers.filter((layer) => layer !== "control");
  const rows = [...read("docs/architecture.md").matchAll(/^\| `([\w/-]+\/|limits\.ts)` \|/gm)];
  const listed = rows.map(([, row]) => row!.replace(/\/$/, ""));
  expect(listed.slice(0, expected.length)).toEqual(expected);
});
